// A receiver of webhooks for tests: keeps what it took, and answers as receivers do on bad days.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A status; `hang`: takes the request and never answers; `lose`: takes it, and the connection breaks before the answer; `endless`: 200 whose body never ends. */
export type ReceiverAnswer = number | 'hang' | 'lose' | 'endless'

export type Received = { headers: IncomingHttpHeaders; text: string; body: Record<string, unknown>; answer: ReceiverAnswer }

export type Receiver = {
  url: string
  /** In the order in which they came, whole. */
  got: Received[]
  /** Of those, what was taken: 2xx, or lost on the way back. */
  taken(): Received[]
  close(): Promise<void>
}

export async function startReceiver(
  answerTo: (count: number, body: Record<string, unknown>) => ReceiverAnswer = () => 200,
): Promise<Receiver> {
  const got: Received[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('error', () => {})
    request.on('end', () => {
      const body = JSON.parse(text) as Record<string, unknown>
      const answer = answerTo(got.length, body)
      got.push({ headers: request.headers, text, body, answer })
      if (answer === 'hang') return
      if (answer === 'lose') response.socket?.destroy()
      else if (answer === 'endless') response.writeHead(200).write('…')
      else
        response
          .writeHead(answer, answer >= 300 && answer < 400 ? { location: 'http://127.0.0.1:9/elsewhere' } : {})
          .end('said the receiver')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    taken: () =>
      got.filter(
        ({ answer }) => answer === 'lose' || answer === 'endless' || (typeof answer === 'number' && answer >= 200 && answer < 300),
      ),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
