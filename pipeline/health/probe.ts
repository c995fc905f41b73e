// Asks a neighbour whether it is there: for all who want to know at once only one question is under way, and nobody waits long.

export type ProbeAnswer<T> = {
  name: string
  answers: boolean
  /** Since when it does, or does not (ms). */
  since: number
  error?: string
  /** What it said last. */
  value: T | undefined
}

export type Probe<T> = { look(): Promise<ProbeAnswer<T>> }

export type ProbeOptions<T> = {
  name: string
  /** Throws where it is away. May take as long as it likes: meanwhile nothing else is asked. */
  ask(): Promise<T>
  now(): number
  /** An answer holds for so long. Default 1 s. */
  freshMs?: number
  /** After so long without an answer it is away. Default 3 s. */
  patienceMs?: number
}

export function probe<T>({ name, ask, now, freshMs = 1_000, patienceMs = 3_000 }: ProbeOptions<T>): Probe<T> {
  let value: T | undefined
  let last: { answers: boolean; at: number; error?: string } | undefined
  let since = now()
  let asking: { since: number; done: Promise<void> } | undefined

  function learn(answers: boolean, error?: string): void {
    if (last?.answers !== answers) since = now()
    last = { answers, at: now(), ...(error === undefined ? {} : { error }) }
  }

  function begin(): { since: number; done: Promise<void> } {
    const done = ask()
      .then(
        (said) => {
          value = said
          learn(true)
        },
        (error: unknown) => learn(false, error instanceof Error ? error.message : String(error)),
      )
      .finally(() => (asking = undefined))
    return { since: now(), done }
  }

  return {
    async look() {
      if (last === undefined || asking !== undefined || now() - last.at >= freshMs) {
        asking ??= begin()
        const { since: askedAt, done } = asking
        const leftMs = patienceMs - (now() - askedAt)
        if (leftMs > 0) await Promise.race([done, new Promise((resolve) => setTimeout(resolve, leftMs).unref())])
        if (asking !== undefined && now() - askedAt >= patienceMs) learn(false, `no answer for ${Math.round((now() - askedAt) / 1000)} s`)
      }
      const { answers = false, error } = last ?? {}
      return { name, answers, since, value, ...(error === undefined ? {} : { error }) }
    },
  }
}
