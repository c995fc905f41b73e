// Has attributions made in a thread of their own, and ends the thread where one takes too long.
import { Worker } from 'node:worker_threads'
import type { Question } from '../../../operators/attribution/attribute.ts'
import type { Counted } from '../../../operators/attribution/gather.ts'
import type { ExplainReply, ExplainRequest, Explanation } from './attribution-worker.ts'

export type Explainer = {
  /** The columns are handed over: nobody may read them afterwards. Rejects where it fails, and once `signal` aborts. */
  explain(counted: Counted, scale: number, question: Question, signal: AbortSignal): Promise<Explanation>
  close(): Promise<void>
}

type Waiting = { resolve: (explanation: Explanation) => void; reject: (error: Error) => void }

export function explainer(): Explainer {
  const waiting = new Map<number, Waiting>()
  let worker: Worker | undefined
  let lastId = 0

  function end(error: Error): Promise<unknown> {
    const ended = worker
    worker = undefined
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
    return ended?.terminate() ?? Promise.resolve()
  }

  function start(): Worker {
    const started = new Worker(new URL('./attribution-worker.ts', import.meta.url), { execArgv: [] })
    started.unref()
    const endThis = (error: Error) => {
      if (worker === started) void end(error)
    }
    started.on('message', (reply: ExplainReply) => {
      const request = waiting.get(reply.id)
      waiting.delete(reply.id)
      if ('error' in reply) request?.reject(new Error(reply.error))
      else request?.resolve(reply.explanation)
    })
    started.on('error', (error) => endThis(error instanceof Error ? error : new Error(String(error))))
    started.on('exit', () => endThis(new Error('the thread that explains has ended')))
    return started
  }

  return {
    explain(counted, scale, question, signal) {
      signal.throwIfAborted()
      const { promise, resolve, reject } = Promise.withResolvers<Explanation>()
      const id = ++lastId
      worker ??= start()
      waiting.set(id, { resolve, reject })
      const late = () => void end(new Error('it took too long'))
      signal.addEventListener('abort', late, { once: true })
      const { leaf, window, numerator, denominator } = counted
      const columns = [leaf, window, numerator, ...(denominator === undefined ? [] : [denominator])]
      worker.postMessage(
        { id, counted, scale, question } satisfies ExplainRequest,
        columns.map(({ buffer }) => buffer as ArrayBuffer),
      )
      return promise.finally(() => signal.removeEventListener('abort', late))
    },
    async close() {
      await end(new Error('closed'))
    },
  }
}
