// The receivers of alerts that the settings name.
import { alertmanagerNotifier } from '../adapters/alertmanager-notifier.ts'
import { topicNotifier } from '../adapters/topic-notifier.ts'
import { webhookNotifier } from '../adapters/webhook-notifier.ts'
import type { DetectSettings } from '../config/groups.ts'
import { alertsTopicOf } from '../config/names.ts'
import type { Log } from '../ports/log.ts'
import type { Notifier } from '../ports/notifier.ts'
import { boardLinkOf } from './board-link.ts'

export type ReceiversOptions = {
  settings: Pick<DetectSettings, 'alertmanagerUrl' | 'webhookUrl' | 'webhookSecret' | 'boardUrl'>
  /** The input topic. */
  topic: string
  /** Opens the log when there is something to write; undefined: there is none to write to. */
  openLog: (() => Promise<Log>) | undefined
}

export function receiversOf({ settings, topic, openLog }: ReceiversOptions): Notifier[] {
  const { alertmanagerUrl, webhookUrl, webhookSecret: secret, boardUrl } = settings
  const boardLink = boardLinkOf(boardUrl)
  return [
    ...(alertmanagerUrl === undefined ? [] : [alertmanagerNotifier(alertmanagerUrl, { boardLink })]),
    ...(webhookUrl === undefined ? [] : [webhookNotifier(webhookUrl, { secret, boardLink })]),
    ...(openLog === undefined ? [] : [topicNotifier(() => openWithTopic(openLog, topic), alertsTopicOf(topic), { boardLink })]),
  ]
}

/** One partition: alerts are few, and whoever reads them all reads them in order. */
async function openWithTopic(openLog: () => Promise<Log>, input: string): Promise<Log> {
  const log = await openLog()
  const topic = alertsTopicOf(input)
  if ((await log.describeTopic(topic)) === undefined) {
    const timestamps = (await log.describeTopic(input))?.timestamps ?? 'append'
    await log.createTopic({ topic, partitions: 1, timestamps })
  }
  return log
}
