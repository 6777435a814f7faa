import type { Exit } from '../sandbox/sandbox.ts'
import type { Failure } from './execution-event.ts'

/** What a finished command left, for a validator to judge. */
export interface IterationResult {
  readonly output: string
  /** The last thing it said on stderr; may be empty. */
  readonly complaint: string
  readonly exit: Exit
}

export type Verdict =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly failure: Failure }

/** Judges one iteration. Validators are asked in order; the first refusal decides. */
export type Validator = (result: IterationResult, signal: AbortSignal) => Promise<Verdict>

const accepted: Verdict = { accepted: true }

/** Accepts exit code 0; a limit that was hit is the cause rather than the code it led to. */
export const exitCodeValidator: Validator = async ({ complaint, exit }) => {
  if (exit.cause === undefined && exit.code === 0) return accepted
  return { accepted: false, failure: failureOf(exit, complaint) }
}

/** Accepts output that is more than white space. */
export const outputValidator: Validator = async ({ output }) => {
  if (output.trim() !== '') return accepted
  return {
    accepted: false,
    failure: {
      cause: 'empty_output',
      message: 'The command ended well but printed nothing on stdout. Print the result there.',
      exitCode: 0,
    },
  }
}

export async function judge(
  validators: readonly Validator[],
  result: IterationResult,
  signal: AbortSignal,
): Promise<Verdict> {
  for (const validator of validators) {
    const verdict = await validator(result, signal)
    if (!verdict.accepted) return verdict
  }
  return accepted
}

function failureOf(exit: Exit, complaint: string): Failure {
  const cause = exit.cause ?? 'exit_code'
  return { cause, message: messageOf(exit, complaint), exitCode: exit.code, signal: exit.signal }
}

function messageOf(exit: Exit, complaint: string): string {
  switch (exit.cause) {
    case 'memory_limit':
      return 'The sandbox ran out of memory. Raise spec.security.resources.memory or use less.'
    case 'pids_limit':
      return 'The sandbox ran out of processes. Raise spec.security.resources.pids or start fewer.'
    case 'disk_limit':
      return 'The sandbox ran out of disk. Raise spec.security.resources.disk or write less.'
    case 'output_limit':
      return 'The command printed more than the node allows (spec.runtime.output_limit of its config). Print less, or write to a file.'
    case 'time_limit':
      return 'The time for it ran out. Raise spec.security.resources.timeout or spec.execution.timeout_per_iteration.'
    case 'protocol_violation':
      return 'The sandbox broke the wire protocol and was ended: something in it tampered with the guest.'
    case 'guest_unresponsive':
      return 'The sandbox stopped answering and was ended.'
    case 'sandbox_lost':
      return 'The sandbox vanished: its process was killed from outside, or the host ran out of memory.'
    case undefined:
      return [
        exit.signal === undefined
          ? `The command ended with exit code ${exit.code ?? 'unknown'}.`
          : `The command was ended by SIG${exit.signal}.`,
        ...(complaint === '' ? [] : [`Its last words: ${complaint}`]),
      ].join(' ')
  }
}
