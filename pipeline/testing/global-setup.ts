// Starts what all test files of one run share, once and only when a test first asks for it, and ends it with the run.

import { createServer } from 'node:http'
import type { TestProject } from 'vitest/node'
import { startKafka, type RunningKafka } from './kafka-broker.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where a worker asks for shared servers; see shared-kafka.ts. */
    sharedServersUrl: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let kafka: Promise<RunningKafka> | undefined
  const server = createServer((request, response) => {
    if (request.url !== '/kafka') {
      response.writeHead(404).end()
      return
    }
    kafka ??= startKafka()
    kafka.then(
      ({ brokers }) => response.end(brokers),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  project.provide('sharedServersUrl', `http://127.0.0.1:${address.port}`)
  return async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await kafka?.then(
      (running) => running.stop(),
      () => {},
    )
  }
}
