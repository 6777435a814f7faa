/* The symbolic name of an errno, which, unlike its number, means the same on every machine. */
#include "guest.h"

#include <errno.h>

#define NAMED(name) {name, #name}

static const struct {
  int number;
  const char *text;
} names[] = {
    NAMED(EPERM),        NAMED(ENOENT),       NAMED(ESRCH),     NAMED(EINTR),
    NAMED(EIO),          NAMED(ENXIO),        NAMED(E2BIG),     NAMED(ENOEXEC),
    NAMED(EBADF),        NAMED(ECHILD),       NAMED(EAGAIN),    NAMED(ENOMEM),
    NAMED(EACCES),       NAMED(EFAULT),       NAMED(EBUSY),     NAMED(EEXIST),
    NAMED(EXDEV),        NAMED(ENODEV),       NAMED(ENOTDIR),   NAMED(EISDIR),
    NAMED(EINVAL),       NAMED(ENFILE),       NAMED(EMFILE),    NAMED(ENOTTY),
    NAMED(ETXTBSY),      NAMED(EFBIG),        NAMED(ENOSPC),    NAMED(ESPIPE),
    NAMED(EROFS),        NAMED(EMLINK),       NAMED(EPIPE),     NAMED(ENAMETOOLONG),
    NAMED(ENOSYS),       NAMED(ENOTEMPTY),    NAMED(ELOOP),     NAMED(EOVERFLOW),
    NAMED(ELIBBAD),      NAMED(EADDRINUSE),   NAMED(ENETDOWN),  NAMED(EADDRNOTAVAIL),
    NAMED(ENETUNREACH),  NAMED(ECONNABORTED), NAMED(ENOBUFS),   NAMED(ECONNRESET),
    NAMED(ETIMEDOUT),    NAMED(ECONNREFUSED), NAMED(EOPNOTSUPP), NAMED(EDQUOT),
    NAMED(EHOSTUNREACH), NAMED(EAFNOSUPPORT), NAMED(ESTALE),    NAMED(ECANCELED),
};

const char *errno_name(int error) {
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].number == error) return names[i].text;
  return "EUNKNOWN";
}
