/** Runs inside the machine of the lab, which has a /dev/kvm that works. */
import { access, mkdir, readFile } from 'node:fs/promises'
import { openFirecrackerMonitor, openQemuMonitor } from '../../runtime-firecracker/src/index.ts'
import { checkMonitor, type LabParts } from './check-monitor.ts'
import { checkSnapshots } from './check-snapshots.ts'
import { makeLabReport } from './report.ts'

const never = new AbortController().signal
const report = makeLabReport((text) => process.stdout.write(text))
/** Everything here is emulated, and what it runs is virtual again. */
const patience = 12

const directory = '/lab/work'
await mkdir(directory, { recursive: true, mode: 0o700 })
const parts: LabParts = {
  directory,
  kernel: JSON.parse(await readFile('/lab/kernel.json', 'utf8')),
  guestDisk: '/lab/guest.erofs',
  imageDisk: '/lab/image.disk',
}
const launcherPath = '/lab/launch'

const openQemu = () =>
  openQemuMonitor({ stateDirectory: '/lab/qemu', launcherPath, kvm: true }, never)

const openFirecracker = () =>
  openFirecrackerMonitor(
    {
      ...{ stateDirectory: '/lab/firecracker', launcherPath, patience },
      ...{ firecrackerPath: '/lab/bin/firecracker', jailerPath: '/lab/bin/jailer' },
    },
    never,
  )

report.part('QEMU with KVM')
await checkMonitor(report, parts, openQemu)

report.part('Snapshots of agents in QEMU with KVM')
await checkSnapshots(report, parts, openQemu)

report.part('Firecracker')
const given = await access('/lab/bin/firecracker').then(
  () => true,
  () => false,
)
if (given) {
  await checkMonitor(report, parts, openFirecracker)
  report.part('Snapshots of agents in Firecracker')
  await checkSnapshots(report, parts, openFirecracker)
} else
  report.skip(
    'the real Firecracker',
    'its binaries were not given: set AEGIS_FIRECRACKER and AEGIS_JAILER to both of one release',
  )
report.end()
