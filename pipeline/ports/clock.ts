// The port through which roles ask what time it is, and wait. No figure comes from it: it decides when, never what.

export type Clock = {
  /** Wall clock (ms). */
  now(): number
  /** Rejects with the signal's reason where it is aborted before `ms` have passed. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}
