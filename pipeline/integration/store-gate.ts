// A door before a store's HTTP interface, at which a test sees every insert of one member, and can hold it.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** `before`: the store knows nothing of it yet. `after`: it is stored, and who inserted it does not know that yet. */
export type InsertMoment = 'before' | 'after'

export type StoreGate = {
  url: string
  /** Called for every insert; it goes on once the promise resolves. */
  onInsert: (table: string, moment: InsertMoment) => Promise<void>
  close(): Promise<void>
}

/** `socketPath`: where the store answers. */
export async function storeGate(socketPath: string): Promise<StoreGate> {
  const gate: StoreGate = { url: '', onInsert: async () => {}, close: async () => {} }
  const server = createServer((asked, answer) => {
    const sql = new URL(asked.url ?? '/', 'http://store').searchParams.get('query') ?? ''
    const table = /^\s*INSERT INTO `?(\w+)/.exec(sql)?.[1]
    const pass = async () => {
      if (table !== undefined) await gate.onInsert(table, 'before')
      const through = request({ socketPath, path: asked.url, method: asked.method, headers: asked.headers }, (came) => {
        const reply = () => {
          answer.writeHead(came.statusCode ?? 500, came.headers)
          came.pipe(answer)
        }
        if (table === undefined) reply()
        else void gate.onInsert(table, 'after').then(reply)
      })
      through.on('error', () => answer.destroy())
      asked.pipe(through)
    }
    void pass()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  gate.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  gate.close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return gate
}
