/*
 * Says whether /dev/kvm runs a guest, by running one. That a VM can be made proves nothing: there
 * are hosts whose KVM makes VMs and then interprets the kernel inside, or stumbles over instructions
 * that every kernel has. So this runs, at the privilege of a kernel and in 64 bits, a loop whose time
 * tells whether the processor itself runs it, and those instructions one by one.
 *
 * One line of JSON goes to stdout; the exit code is 0 whatever was found.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if !defined(__x86_64__)

int main(void)
{
	puts("{\"state\":\"absent\",\"detail\":\"this processor is not an x86-64\"}");
	return 0;
}

#else

#include <cpuid.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#define LOOPS 100000
/* A processor needs a tenth of a millisecond, one that is emulated itself half of one. */
#define ROUNDS 3
#define FAST_ENOUGH_NS 5000000
/* All of it together; whoever is interpreted does not get far. */
#define DEADLINE_MS 700

#define MEMORY_BYTES (2 << 20)
#define TABLES_AT 0x1000
#define CODE_AT 0x8000
#define DATA_AT 0x100000
#define STACK_AT 0x180000
#define DONE_PORT 0x10

/* What the guest runs. Each step ends by writing to a port, which hands over to us. */
__asm__(".section .rodata\n"
	".globl code_start, step_loop, step_cx16, step_xsave, step_shlx, code_end\n"
	"code_start:\n"
	"step_loop:\n"
	"  mov $100000, %ecx\n"
	"1: dec %ecx\n"
	"  jnz 1b\n"
	"  out %al, $0x10\n"
	"step_cx16:\n"
	"  mov $0x100000, %edi\n"
	"  xor %eax, %eax\n"
	"  xor %edx, %edx\n"
	"  xor %ebx, %ebx\n"
	"  xor %ecx, %ecx\n"
	"  lock cmpxchg16b (%rdi)\n"
	"  out %al, $0x10\n"
	"step_xsave:\n"
	"  mov $0x100000, %edi\n"
	"  mov $3, %eax\n"
	"  xor %edx, %edx\n"
	"  xsave (%rdi)\n"
	"  mov $3, %eax\n"
	"  xor %edx, %edx\n"
	"  xrstor (%rdi)\n"
	"  out %al, $0x10\n"
	"step_shlx:\n"
	"  mov $5, %ecx\n"
	"  mov $1, %eax\n"
	"  shlx %rcx, %rax, %rdx\n"
	"  out %al, $0x10\n"
	"code_end:\n"
	".previous\n");

extern const char code_start[], step_loop[], step_cx16[], step_xsave[], step_shlx[], code_end[];

struct machine {
	int kvm;
	int vm;
	int cpu;
	struct kvm_run *run;
	char *memory;
};

/* Says what was found and ends. Words are our own or the system's: no quotes are in them. */
static void __attribute__((noreturn)) report(const char *state, const char *detail, const char *what,
					     long long loop_ns)
{
	printf("{\"state\":\"%s\",\"detail\":\"%s%s%s\"", state, detail, what[0] ? ": " : "", what);
	if (loop_ns >= 0)
		printf(",\"nsPerLoop\":%.3f", (double)loop_ns / LOOPS);
	puts("}");
	fflush(stdout);
	_exit(0);
}

static void on_deadline(int signal)
{
	(void)signal;
	/* KVM_RUN returns with EINTR. */
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int open_kvm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm >= 0)
		return kvm;
	if (errno == EACCES || errno == EPERM)
		report("denied", "/dev/kvm may not be opened", strerror(errno), -1);
	report("absent", "/dev/kvm cannot be opened", strerror(errno), -1);
}

static void or_broken(int failed, const char *what)
{
	if (failed)
		report("broken", what, strerror(errno), -1);
}

static void make_machine(struct machine *m)
{
	struct kvm_userspace_memory_region region = { 0 };
	int run_bytes;

	m->kvm = open_kvm();
	or_broken(ioctl(m->kvm, KVM_GET_API_VERSION, 0) != 12, "it has another interface");
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	or_broken(m->vm < 0, "no machine can be made");
	/* Older Intel processors need a place for it; others do not mind. */
	ioctl(m->vm, KVM_SET_TSS_ADDR, 0xfffbd000UL);
	m->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	or_broken(m->memory == MAP_FAILED, "no memory for a machine");
	region.memory_size = MEMORY_BYTES;
	region.userspace_addr = (uint64_t)m->memory;
	or_broken(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0, "a machine gets no memory");
	m->cpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	or_broken(m->cpu < 0, "a machine gets no processor");
	run_bytes = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	or_broken(run_bytes < (int)sizeof(*m->run), "a machine's processor has no state");
	m->run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->cpu, 0);
	or_broken(m->run == MAP_FAILED, "a machine's processor has no state");
}

static void set_cpuid(struct machine *m)
{
	const unsigned entries = 256;
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + entries * sizeof(cpuid->entries[0]));

	or_broken(cpuid == NULL, "no memory for a machine");
	cpuid->nent = entries;
	or_broken(ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0, "it does not say what it can");
	or_broken(ioctl(m->cpu, KVM_SET_CPUID2, cpuid) < 0, "a machine cannot have what it can");
	free(cpuid);
}

static struct kvm_segment segment(int type, int is_code)
{
	struct kvm_segment s = { 0 };

	s.limit = 0xffffffff;
	s.selector = is_code ? 8 : 16;
	s.type = type;
	s.present = 1;
	s.s = 1;
	s.l = is_code;
	s.db = !is_code;
	s.g = 1;
	return s;
}

/* Long mode with the first two megabytes where they are, interrupts off, at the highest privilege. */
static void enter_long_mode(struct machine *m)
{
	uint64_t *tables = (uint64_t *)(m->memory + TABLES_AT);
	struct kvm_sregs sregs;
	struct kvm_xcrs xcrs = { 0 };

	tables[0] = (TABLES_AT + 0x1000) | 3;
	tables[512] = (TABLES_AT + 0x2000) | 3;
	tables[1024] = 0x83;
	or_broken(ioctl(m->cpu, KVM_GET_SREGS, &sregs) < 0, "a machine's registers cannot be read");
	sregs.cs = segment(11, 1);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(3, 0);
	sregs.cr3 = TABLES_AT;
	sregs.cr4 = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 18;
	sregs.cr0 = 1u << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1;
	sregs.efer = 1 << 8 | 1 << 10;
	if (ioctl(m->cpu, KVM_SET_SREGS, &sregs) < 0) {
		/* A processor without XSAVE takes no bit for it. */
		sregs.cr4 &= ~(1ULL << 18);
		or_broken(ioctl(m->cpu, KVM_SET_SREGS, &sregs) < 0, "a machine cannot enter 64 bits");
	}
	xcrs.nr_xcrs = 1;
	xcrs.xcrs[0].value = 3;
	ioctl(m->cpu, KVM_SET_XCRS, &xcrs);
}

static const char *exit_words(const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_INTERNAL_ERROR:
		return run->internal.suberror == 1 ? "emulation failure" : "internal error";
	case KVM_EXIT_SHUTDOWN:
		return "the machine died";
	case KVM_EXIT_FAIL_ENTRY:
		return "the machine could not be entered";
	default:
		return "the machine left in an unexpected way";
	}
}

/* One step; undefined words mean that it went well. Sets *late when the deadline came first. */
static const char *run_step(struct machine *m, const char *step, int *late)
{
	struct kvm_regs regs = { 0 };

	regs.rip = CODE_AT + (step - code_start);
	regs.rsp = STACK_AT;
	regs.rflags = 2;
	or_broken(ioctl(m->cpu, KVM_SET_REGS, &regs) < 0, "a machine's registers cannot be set");
	if (ioctl(m->cpu, KVM_RUN, 0) < 0) {
		*late = errno == EINTR || errno == EAGAIN;
		return *late ? "it took too long" : strerror(errno);
	}
	if (m->run->exit_reason == KVM_EXIT_IO && m->run->io.port == DONE_PORT) {
		/* The write ends once the processor is entered again: this enters and leaves at once. */
		m->run->immediate_exit = 1;
		ioctl(m->cpu, KVM_RUN, 0);
		m->run->immediate_exit = 0;
		return NULL;
	}
	return exit_words(m->run);
}

int main(void)
{
	struct machine m;
	struct sigaction action = { .sa_handler = on_deadline };
	struct itimerval deadline = { { 0, 20000 }, { DEADLINE_MS / 1000, DEADLINE_MS % 1000 * 1000 } };
	long long best = -1;
	unsigned a, b, c = 0, d, b7 = 0, unused;
	int late = 0;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &deadline, NULL);
	make_machine(&m);
	set_cpuid(&m);
	enter_long_mode(&m);
	memcpy(m.memory + CODE_AT, code_start, code_end - code_start);
	__get_cpuid(1, &a, &b, &c, &d);
	__get_cpuid_count(7, 0, &a, &b7, &unused, &unused);

	const struct {
		const char *name, *step;
		int there;
	} steps[] = {
		{ "cmpxchg16b", step_cx16, c >> 13 & 1 },
		{ "xsave", step_xsave, c >> 26 & 1 },
		{ "shlx", step_shlx, b7 >> 8 & 1 },
	};
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]) && !late; i++) {
		const char *wrong = steps[i].there ? run_step(&m, steps[i].step, &late) : NULL;

		if (wrong && !late) {
			char detail[100];

			snprintf(detail, sizeof(detail), "it does not run %s", steps[i].name);
			report("broken", detail, wrong, -1);
		}
	}
	for (int round = 0; round < ROUNDS && !late && (best < 0 || best > FAST_ENOUGH_NS); round++) {
		long long start = now_ns();
		const char *wrong = run_step(&m, step_loop, &late);
		long long took = now_ns() - start;

		if (late)
			break;
		if (wrong)
			report("broken", "it does not run a loop", wrong, -1);
		if (best < 0 || took < best)
			best = took;
	}
	if (late || best > FAST_ENOUGH_NS)
		report("slow", "it makes machines, but interprets the code inside", "", best);
	report("usable", "it runs code", "", best);
}

#endif
