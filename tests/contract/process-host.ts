import { whyNoProcessHost as whyNot } from './hosts/process-host.ts'

export { groupsOf } from './hosts/process-host.ts'

export const whyNoProcessHost = async (): Promise<string | undefined> => whyNot()
