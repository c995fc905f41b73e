// Runs the page's example of checking a webhook's signature, on what the webhook really gets.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { webhookNotifier } from '../../pipeline/adapters/webhook-notifier.ts'
import { notificationOf } from '../../pipeline/roles/detect/alert-rows.ts'
import { alertTopic, madeTransition } from '../../pipeline/roles/detect/hand-made-alerts.ts'
import { startReceiver } from '../../pipeline/testing/receiver.ts'

type Check = (secret: string, header: string | undefined, body: string | Uint8Array, nowS?: number) => boolean

const page = readFileSync(new URL('alerts.md', import.meta.url), 'utf8')

async function example(): Promise<Check> {
  const code = /^```js\n(.*?)^```/ms.exec(page)![1]!
  const folder = mkdtempSync(join(tmpdir(), 'reelpulse-example-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'example.mjs')
  writeFileSync(file, code)
  return ((await import(/* @vite-ignore */ pathToFileURL(file).href)) as { isFromReelpulse: Check }).isFromReelpulse
}

test('the example takes what comes from us, and nothing else', async () => {
  const isFromReelpulse = await example()
  const receiver = await startReceiver()
  onTestFinished(receiver.close)
  const secret = 'a secret of 24 letters…'
  const notification = notificationOf(alertTopic, madeTransition('渠道', Date.now(), 1, 'firing'))
  await webhookNotifier(receiver.url, { secret }).notify(notification)
  const { headers, text } = receiver.got[0]!
  const header = String(headers['reelpulse-signature'])
  expect(isFromReelpulse(secret, header, text)).toBe(true)
  expect(isFromReelpulse(secret, header, Buffer.from(text))).toBe(true)
  expect(isFromReelpulse(secret, header, text.replace('firing', 'resolved'))).toBe(false)
  expect(isFromReelpulse('another secret', header, text)).toBe(false)
  expect(isFromReelpulse(secret, header, text, Date.now() / 1000 + 301)).toBe(false)
  // The time is signed too.
  expect(isFromReelpulse(secret, header.replace(/^t=\d+/, `t=${Math.floor(Date.now() / 1000) + 1}`), text)).toBe(false)
  expect(isFromReelpulse(secret, undefined, text)).toBe(false)
  expect(isFromReelpulse(secret, 't=1,v1=zz', text)).toBe(false)
})

test('without a secret nothing is signed, and a secret is nowhere in what is sent or said', async () => {
  const receiver = await startReceiver(() => 500)
  onTestFinished(receiver.close)
  const notification = notificationOf(alertTopic, madeTransition('ad', Date.now(), 1, 'firing'))
  const url = `${receiver.url}/hook?key=topsecret`
  const said = await webhookNotifier(url)
    .notify(notification)
    .catch((error: unknown) => String(error))
  expect(said).toContain('answered 500')
  expect(said).not.toContain('topsecret')
  expect(receiver.got[0]!.headers['reelpulse-signature']).toBeUndefined()
  await webhookNotifier(url, { secret: 'never-to-be-seen-anywhere' })
    .notify(notification)
    .catch(() => {})
  expect(JSON.stringify(receiver.got)).not.toContain('never-to-be-seen-anywhere')
})
