import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import avro from 'avsc'
import { expect, onTestFinished, test } from 'vitest'
import { avroSchema, singleObjectHeader } from '../../schemas/avro.ts'
import { kpiAlertMessage } from '../../schemas/tables/alerts.ts'
import { receiversOf } from '../alerts/receivers.ts'
import { notificationOf } from '../roles/detect/alert-rows.ts'
import { alertTopic, madeTransition } from '../roles/detect/hand-made-alerts.ts'
import { uuidText } from '../uuid.ts'
import { embeddedLog } from './embedded-log.ts'

const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes!).toString()

test('a transition is one message of topic kpi-alerts, under the key of its alert; the log is opened when there is one, and again where that failed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'reelpulse-topic-'))
  const log = await embeddedLog(directory)
  onTestFinished(async () => {
    await log.close()
    rmSync(directory, { recursive: true })
  })
  await log.createTopic({ topic: alertTopic, partitions: 3, timestamps: 'create' })
  let opened = 0
  const openLog = () => (++opened === 1 ? Promise.reject(new Error('brokers away')) : Promise.resolve(log))
  const settings = { alertmanagerUrl: undefined, webhookUrl: undefined, webhookSecret: undefined, boardUrl: 'http://grafana/d/board' }
  const [notifier] = receiversOf({ settings, topic: alertTopic, openLog })
  expect(notifier!.name).toBe('topic kpi-alerts')
  expect(opened).toBe(0)

  const at = Math.floor(Date.now() / 60_000) * 60_000
  const causes = [{ cell: 'app_version 8.6.0', share: 0.9 }]
  const told = [madeTransition('ad', at, 0, 'pending'), madeTransition('ad', at, 1, 'firing')].map((one) => ({
    ...notificationOf(alertTopic, one),
    causes,
  }))
  await expect(notifier!.notify(told[0]!)).rejects.toThrow('brokers away')
  for (const one of told) await notifier!.notify(one)
  expect(opened).toBe(2)

  expect(await log.describeTopic('kpi-alerts')).toMatchObject({ timestamps: 'create', partitions: [{ end: 2 }] })
  const reader = await log.read('kpi-alerts', 0, 0)
  onTestFinished(reader.close)
  let batch = await reader.next(1_000)
  while (batch.count === 0) batch = await reader.next(1_000)
  expect(batch.count).toBe(2)
  expect([0, 1].map((i) => text(batch.keys[i]))).toEqual([told[0]!.alertId, told[0]!.alertId])
  expect([0, 1].map((i) => text(batch.headers[i]!['id']))).toEqual([`${told[0]!.alertId}/0`, `${told[0]!.alertId}/1`])
  expect(batch.timestampsMs[1]).toBe(told[1]!.decidedAt)
  const header = singleObjectHeader(kpiAlertMessage)
  const value = Buffer.from(batch.values[1]!)
  expect(value.subarray(0, header.length)).toEqual(Buffer.from(header))
  const message = avro.Type.forSchema(avroSchema(kpiAlertMessage) as avro.Schema).fromBuffer(value.subarray(header.length)) as Record<
    string,
    unknown
  >
  expect(message).toMatchObject({
    sequence: 1,
    state: 'firing',
    kind: 'kpi',
    kpi: 'completion_rate',
    value: 'ad',
    actual: 0.3,
    topic: alertTopic,
  })
  expect(message['causes']).toMatchObject(causes)
  expect(uuidText(message['alert_id'] as Uint8Array)).toBe(told[1]!.alertId)
  expect(message['board_url']).toMatch(/^http:\/\/grafana\/d\/board\?from=\d+&to=\d+&var-kpi=completion_rate&var-channel=ad$/)
})
