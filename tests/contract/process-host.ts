export { groupsOf, whyNoProcessHost } from './hosts/process-host.ts'
