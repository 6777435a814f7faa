export {
  agentLookup,
  agentSummaries,
  agentSummary,
  agentSummaryFromWire,
  agentSummaryToWire,
  deployResult,
  deployResultFromWire,
  deployResultToWire,
  manifest,
  signedManifestType,
} from './agent-wire.ts'
export {
  auditProgress,
  auditReport,
  auditReportFromWire,
  auditReportToWire,
  loggedEntries,
  loggedEntry,
  loggedEntryFromWire,
  loggedEntryToWire,
  verifierKey,
} from './audit-wire.ts'
export {
  formatComment,
  formatMessage,
  makeMessageParser,
  type StreamMessage,
} from './event-stream.ts'
export { eventFromWire, eventToWire, streamedEvent } from './event-wire.ts'
export {
  cancelled,
  executionDetail,
  executionDetailFromWire,
  executionDetailToWire,
  executionStarted,
  executionSummaries,
  executionSummaryFromWire,
  executionSummaryToWire,
  failureToWire,
} from './execution-wire.ts'
export { pullProgress } from './image-schema.ts'
export {
  image,
  imageFromWire,
  imageSummaries,
  imageSummaryFromWire,
  imageSummaryToWire,
  imageToWire,
  pruneResult,
  pruneResultFromWire,
  pruneResultToWire,
} from './image-wire.ts'
export {
  health,
  nodeFindings,
  nodeStatus,
  nodeStatusFromWire,
  nodeStatusToWire,
} from './node-wire.ts'
export {
  policyCheck,
  policyExplanation,
  policyExplanationFromWire,
  policyExplanationToWire,
  policyList,
  policyListFromWire,
  policyListToWire,
  policyQuestion,
  policyReview,
  policyReviewToWire,
} from './policy-wire.ts'
export { isErrorKind, type Problem, problem, statusByKind } from './problem.ts'
export {
  sandboxEvent,
  sandboxStatuses,
  sandboxStatusFromWire,
  sandboxStatusToWire,
} from './sandbox-wire.ts'
export { executionStatus, id, instant, isolation, success } from './scalars.ts'
export {
  secretChanged,
  secretChangedFromWire,
  secretChangedToWire,
  secretPlace,
  secretRotation,
  secretRotationFromWire,
  secretRotationToWire,
  secretSummaries,
  secretSummaryFromWire,
  secretSummaryToWire,
} from './secret-wire.ts'

export {
  createdToken,
  createdTokenFromWire,
  createdTokenToWire,
  newToken,
  newTokenFromWire,
  newTokenToWire,
  tokenFacts,
  tokenFactsFromWire,
  tokenFactsToWire,
  tokenList,
  whoAmI,
  whoAmIFromWire,
  whoAmIToWire,
} from './token-wire.ts'
