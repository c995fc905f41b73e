// The stream of a board's events: read as it comes, opened again whenever it ends, and told when it has fallen silent.
import type { Refusal, StreamEvent } from './protocol.ts'

export type Connection = 'connecting' | 'open' | 'lost'
export type Listeners = {
  event(event: StreamEvent): void
  connection(state: Connection): void
  /** Asking again the same would be refused again. */
  refused(refusal: Refusal): void
}

const firstWaitMs = 500
const longestWaitMs = 10_000
/** Heartbeats are more frequent by far. */
const silentMs = 15_000

/** Returns: close. */
export function connect(query: string, listeners: Listeners): () => void {
  let isClosed = false
  let waitMs = firstWaitMs
  let wake = () => {}
  let abort = new AbortController()

  async function run(): Promise<void> {
    while (!isClosed) {
      listeners.connection('connecting')
      abort = new AbortController()
      const outcome = await read(abort).catch(() => 'lost' as const)
      if (isClosed || outcome === 'refused') return
      listeners.connection('lost')
      // Not all browsers at once after a restart of the server.
      await new Promise<void>((resolve) => {
        wake = resolve
        setTimeout(resolve, waitMs * (0.5 + Math.random()))
      })
      waitMs = Math.min(longestWaitMs, waitMs * 2)
    }
  }

  async function read(controller: AbortController): Promise<'lost' | 'refused'> {
    const answer = await fetch(`/api/stream${query}`, { signal: controller.signal, headers: { Accept: 'text/event-stream' } })
    if (answer.status >= 400 && answer.status < 500) {
      listeners.refused((await answer.json()) as Refusal)
      return 'refused'
    }
    if (!answer.ok || answer.body === null) return 'lost'
    listeners.connection('open')
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    for (;;) {
      const silence = setTimeout(() => controller.abort(), silentMs)
      const { done, value } = await reader.read().finally(() => clearTimeout(silence))
      if (done) return 'lost'
      waitMs = firstWaitMs
      const parts = (text + value).split('\n\n')
      text = parts.pop()!
      for (const part of parts) if (part.startsWith('data: ') && !isClosed) listeners.event(JSON.parse(part.slice(6)) as StreamEvent)
    }
  }

  void run()
  return () => {
    isClosed = true
    abort.abort()
    wake()
  }
}
