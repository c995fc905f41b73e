// A thread that explains: among many leaves that takes a second or more, in which nobody else is to wait.
import { parentPort } from 'node:worker_threads'
import { attribute, type Attribution, type Question } from '../../../operators/attribution/attribute.ts'
import { gather, type Counted } from '../../../operators/attribution/gather.ts'

export type ExplainRequest = { readonly id: number; readonly counted: Counted; readonly scale: number; readonly question: Question }
export type Explanation =
  | { readonly kind: 'explained'; readonly attribution: Attribution; readonly leaves: number; readonly windows: number }
  | { readonly kind: 'nothing'; readonly because: string; readonly leaves: number }
export type ExplainReply = { readonly id: number } & ({ readonly explanation: Explanation } | { readonly error: string })

export function explain({ counted, scale, question }: Omit<ExplainRequest, 'id'>): Explanation {
  const gathered = gather(counted, scale)
  if (gathered.kind === 'nothing') return gathered
  const { leaves } = gathered
  return { kind: 'explained', attribution: attribute(leaves, question), leaves: leaves.numerator.length, windows: leaves.baselineBuckets }
}

const port = parentPort
port?.on('message', (request: ExplainRequest) => {
  let reply: ExplainReply
  try {
    reply = { id: request.id, explanation: explain(request) }
  } catch (error) {
    reply = { id: request.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
  port?.postMessage(reply)
})
