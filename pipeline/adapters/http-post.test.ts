import { expect, onTestFinished, test } from 'vitest'
import type { NotTaken } from '../ports/notifier.ts'
import { startReceiver, type ReceiverAnswer } from '../testing/receiver.ts'
import { patienceFor, post } from './http-post.ts'

async function said(answer: ReceiverAnswer): Promise<NotTaken> {
  const receiver = await startReceiver(() => answer)
  onTestFinished(receiver.close)
  return post(receiver.url, '{}', {}, 200).then(
    () => Promise.reject(new Error('it was taken')),
    (error: unknown) => error as NotTaken,
  )
}

test.each([
  [400, 0],
  [422, 0],
  [413, 0],
  [401, 3_600_000],
  [404, 3_600_000],
  [429, Infinity],
  [408, Infinity],
  [500, Infinity],
  [503, Infinity],
  [302, Infinity],
])('after %d the same is worth a try for %d ms', (status, patienceMs) => expect(patienceFor(status)).toBe(patienceMs))

test('what went wrong is said, and where', async () => {
  expect((await said(422)).message).toMatch(/^127\.0\.0\.1:\d+ answered 422, not 2xx: said the receiver$/)
  expect((await said(302)).message).toContain('a redirect is not followed')
  expect((await said('hang')).message).toContain('did not answer')
  expect((await said('lose')).message).toContain('did not answer')
})

test('an answer whose body never ends is an answer', async () => {
  const receiver = await startReceiver(() => 'endless')
  onTestFinished(receiver.close)
  await post(receiver.url, '{}')
})

test('a login in the URL is sent as one, and said to nobody else', async () => {
  const receiver = await startReceiver((count) => (count === 0 ? 200 : 500))
  onTestFinished(receiver.close)
  const url = receiver.url.replace('http://', 'http://lin:p%40ss@')
  await post(url, '{}')
  expect(receiver.got[0]!.headers.authorization).toBe(`Basic ${Buffer.from('lin:p@ss').toString('base64')}`)
  const error = await post(url, '{}').catch((error: unknown) => String(error))
  expect(error).not.toMatch(/p%40ss|p@ss|lin/)
})
