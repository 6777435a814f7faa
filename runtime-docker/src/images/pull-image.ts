import { setTimeout as sleep } from 'node:timers/promises'
import { AegisError, type Logger, type PullProgress, type Secret } from '@aegis/core'
import type { EngineClient } from '../engine/engine-client.ts'
import { refusalOf } from '../engine/engine-failure.ts'
import { familiarName, type ImageName } from './image-name.ts'
import { type PullFailure, pullFailureOf, pullStalled } from './pull-failure.ts'
import {
  errorWords,
  foldPullMessage,
  initialPullState,
  type PullState,
  progressOf,
  pullMessageSchema,
} from './pull-progress.ts'
import type { RegistryCredentials } from './registry-credentials.ts'
import { withProblem } from './unshown-credentials.ts'

export interface PullTiming {
  /** Attempts in all, where the network or the registry fails. */
  readonly attempts: number
  /** Longest wait before the second attempt; it doubles with each further one. */
  readonly backoffMs: number
  /** A pull that brings nothing new for so long is given up. Extracting a layer may take minutes. */
  readonly stalledMs: number
  /** Least time between two reports of progress. */
  readonly reportEveryMs: number
}

export const defaultPullTiming: PullTiming = {
  attempts: 4,
  backoffMs: 2_000,
  stalledMs: 300_000,
  reportEveryMs: 250,
}

export interface PullDeps {
  readonly engine: EngineClient
  readonly credentials: RegistryCredentials
  readonly logger: Logger
  readonly timing: PullTiming
}

/**
 * Has the engine fetch an image, and again while the fault may pass.
 * @throws what `ImageStore.pull` throws
 */
export async function pullImage(
  deps: PullDeps,
  name: ImageName,
  report: (progress: PullProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const { timing, logger } = deps
  const reference = familiarName(name)
  const { header, problem } = await headerFor(deps, name, signal)
  let state = initialPullState
  const onState = (next: PullState): void => {
    state = next
    report(progressOf(reference, state))
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptPull(deps, name, header, onState, signal)
    } catch (cause) {
      signal.throwIfAborted()
      const { error, isTransient } = failureOf(cause, name, header !== undefined)
      if (!isTransient || attempt >= timing.attempts) throw withProblem(error, problem)
      logger.info({ image: reference, attempt, err: error }, 'A pull failed and is tried again')
    }
    report({ ...progressOf(reference, state), phase: 'retrying' })
    const longestMs = timing.backoffMs * 2 ** (attempt - 1)
    await sleep(longestMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() =>
      signal.throwIfAborted(),
    )
  }
}

async function attemptPull(
  { engine, timing }: PullDeps,
  name: ImageName,
  header: Secret | undefined,
  onState: (state: PullState) => void,
  signal: AbortSignal,
): Promise<void> {
  const request = {
    method: 'POST',
    path: '/images/create',
    query: { fromImage: `${name.registry}/${name.repository}`, tag: name.version },
    headers: header === undefined ? {} : { 'x-registry-auth': header.reveal() },
  } as const
  const stalled = new AbortController()
  const timer = setTimeout(() => stalled.abort(), timing.stalledMs)
  const either = AbortSignal.any([signal, stalled.signal])
  let state = initialPullState
  onState(state)
  try {
    for await (const message of engine.stream(pullMessageSchema, request, either)) {
      const words = errorWords(message)
      if (words !== undefined) throw new PullError(words)
      const next = foldPullMessage(state, message)
      if (next === state) continue
      state = next
      timer.refresh()
      onState(state)
    }
  } catch (cause) {
    if (!signal.aborted && stalled.signal.aborted)
      throw pullStalled(familiarName(name), name, timing.stalledMs)
    throw cause
  } finally {
    clearTimeout(timer)
  }
}

/** What the engine reports in the midst of a pull, in its own words. */
class PullError extends Error {}

function failureOf(cause: unknown, name: ImageName, authenticated: boolean): PullFailure {
  const words = cause instanceof PullError ? cause.message : refusalOf(cause)?.words
  if (words !== undefined)
    return pullFailureOf({ reference: familiarName(name), name, words, authenticated })
  if (cause instanceof AegisError) return { error: cause, isTransient: false }
  throw cause
}

/**
 * Credentials that cannot be read are no reason not to pull what is public: they are spoken of
 * when the registry wants some.
 */
async function headerFor({ credentials, logger }: PullDeps, name: ImageName, signal: AbortSignal) {
  try {
    return { header: await credentials.headerFor(name.registry, signal), problem: undefined }
  } catch (error) {
    if (!(error instanceof AegisError)) throw error
    logger.warn({ registry: name.registry, err: error }, 'Credentials cannot be used')
    return { header: undefined, problem: error }
  }
}
