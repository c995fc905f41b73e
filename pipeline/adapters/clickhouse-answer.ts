// The status and headers of an answer, which the client drops where it throws an error for it.
import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'

/** Of a request: undefined, where no answer has begun. */
export type AnswerHead = { status: number; headers: IncomingMessage['headers'] }

/** Node tells of every answer to its HTTP clients; `work` must send its request with the query id that it is given. */
export async function watchingAnswer<T>(work: (queryId: string, head: () => AnswerHead | undefined) => Promise<T>): Promise<T> {
  const queryId = randomUUID()
  let head: AnswerHead | undefined
  const finished = (message: unknown): void => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage }
    if (request.path.includes(queryId)) head = { status: response.statusCode ?? 0, headers: response.headers }
  }
  subscribe(channel, finished)
  try {
    return await work(queryId, () => head)
  } finally {
    unsubscribe(channel, finished)
  }
}

const channel = 'http.client.response.finish'
