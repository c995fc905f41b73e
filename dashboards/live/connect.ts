// The stream of a board's events: read as it comes, opened again whenever it ends, and told when it has fallen silent.
import type { Refusal, StreamEvent } from './protocol.ts'

/** `connecting`: for the first time. Once lost it is so until it is open again. */
export type Connection = 'connecting' | 'open' | 'lost'
export type Listeners = {
  event(event: StreamEvent): void
  connection(state: Connection): void
  /** `isFinal`: asking the same again would be refused again; otherwise it is tried again. */
  refused(refusal: Refusal, isFinal: boolean): void
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
    listeners.connection('connecting')
    while (!isClosed) {
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
    // A server that takes a connection and says nothing has gone as well.
    const answer = await heard(
      controller,
      fetch(`/api/stream${query}`, { signal: controller.signal, headers: { Accept: 'text/event-stream' } }),
    )
    if (!answer.ok) {
      const isFinal = answer.status < 500
      const refusal = await heard(controller, answer.json() as Promise<Refusal>).catch((error: unknown) => {
        if (isFinal) throw error
      })
      if (refusal !== undefined && !isClosed) listeners.refused(refusal, isFinal)
      return isFinal ? 'refused' : 'lost'
    }
    if (answer.body === null) return 'lost'
    listeners.connection('open')
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    for (;;) {
      const { done, value } = await heard(controller, reader.read())
      if (done) return 'lost'
      waitMs = firstWaitMs
      const parts = (text + value).split('\n\n')
      text = parts.pop()!
      for (const part of parts) if (part.startsWith('data: ') && !isClosed) listeners.event(JSON.parse(part.slice(6)) as StreamEvent)
    }
  }

  function heard<T>(controller: AbortController, coming: Promise<T>): Promise<T> {
    const silence = setTimeout(() => controller.abort(), silentMs)
    return coming.finally(() => clearTimeout(silence))
  }

  void run()
  return () => {
    isClosed = true
    abort.abort()
    wake()
  }
}
