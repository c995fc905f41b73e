// Alerts into a topic, for other programs: one Avro message for each transition, key = alert id.
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { kpiAlertMessage, type KpiAlert } from '../../schemas/tables/alerts.ts'
import { alertRowOf } from '../alerts/alert-row.ts'
import type { BoardLink } from '../alerts/board-link.ts'
import type { Log } from '../ports/log.ts'
import type { Notification, Notifier } from '../ports/notifier.ts'

const text = (value: string) => new TextEncoder().encode(value)

export type TopicOptions = { boardLink?: BoardLink | undefined }

/** `open` gives the log, with the topic in it; asked again where it could not. Its messages of one alert have one key, so they stay in order; header `id` names the transition. */
export function topicNotifier(open: () => Promise<Pick<Log, 'append'>>, topic: string, { boardLink }: TopicOptions = {}): Notifier {
  let opening: Promise<Pick<Log, 'append'>> | undefined
  const opened = () =>
    (opening ??= open().catch((error: unknown) => {
      opening = undefined
      throw error
    }))
  return {
    name: `topic ${topic}`,
    async notify(notification) {
      const record = {
        key: text(notification.alertId),
        value: encodeSingleObject(kpiAlertMessage, kpiAlertOf(notification, boardLink)),
        headers: { id: text(`${notification.alertId}/${notification.sequence}`) },
        timestampMs: notification.decidedAt,
      }
      // No time limit of ours: an append that was given up could land behind the alert's next transition.
      await (await opened()).append(topic, [record])
    },
  }
}

export function kpiAlertOf(notification: Notification, boardLink?: BoardLink): KpiAlert {
  return {
    ...alertRowOf(notification),
    topic: notification.topic,
    board_url: boardLink?.(notification) ?? '',
    causes: [...(notification.causes ?? [])],
  }
}
