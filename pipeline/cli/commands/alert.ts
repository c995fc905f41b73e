// `reelpulse alert`: what fires, what was done about it, and what that did.
import { z } from 'zod'
import { dataSettings, storeSettings, topicSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { defineCommand, exitFinding, exitGood, UsageError } from '../command.ts'

const actions = ['list', 'show', 'ack', 'note', 'close', 'effect'] as const
type Action = (typeof actions)[number]

export const command = defineCommand({
  name: 'alert',
  summary: 'what fires; take an alert on, write its review, measure what was done',
  help: `list shows alerts, the latest first: those that are open, or --which unreviewed or all. show has all of one: transitions, likely
causes, review, deliveries. ack says that somebody looks into it. note writes down a remark, --cause (the root cause) and --strategy (what was done, and
--strategy-at when it took effect). close ends the review; a cause must be written by then. Whose review is not written by due_at
fires an alert of its own.

effect compares the KPI before and after the strategy with cells of the same dimension that had no alert (difference in differences).

An id may be shortened as long as it names one alert. Exits 1 where no such alert has fired, or nothing can be
said of an effect yet.`,
  examples: [
    ['alert list', 'What is open now.'],
    ['alert show 3f2a9c11', 'All that is known of one alert.'],
    ['alert ack 3f2a9c11 --by lin', 'Lin looks into it.'],
    [
      'alert note 3f2a9c11 --by lin --cause "8.6.0 stalls on 4G" --strategy "rolled back to 8.5.2"',
      'Cause and strategy; the latter from now on.',
    ],
    ['alert close 3f2a9c11 --by lin', 'The review is done.'],
    ['alert effect 3f2a9c11', 'What the roll-back did.'],
  ],
  positionals: [
    { name: 'action', doc: `One of ${actions.join(', ')}.` },
    { name: 'alert_id', doc: 'Which alert; not for list.', optional: true },
  ],
  flags: z.object({
    which: z.enum(['open', 'unreviewed', 'all']).default('open').describe('list: which alerts.'),
    kpi: z.string().optional().describe('list: of this KPI only.'),
    limit: z.int('a whole number').min(1, 'at least 1').max(10_000, 'at most 10000').default(50).describe('list: how many at most.'),
    by: z.string().optional().describe('ack, note, close: who you are. Default: the name you are logged in with.'),
    text: z.string().default('').describe('ack, note, close: a remark.'),
    cause: z.string().default('').describe('note, close: the root cause.'),
    strategy: z.string().default('').describe('note, close: what was done about it.'),
    strategyAt: z.string().optional().describe('note, close: when the strategy took effect, such as 2026-03-01T08:00:00Z. Default: now.'),
    hours: z
      .number()
      .positive('a number above 0')
      .max(24 * 60, 'at most 1440')
      .optional()
      .describe('effect: hours on each side. Default: 6 for a KPI of minutes, 72 of hours, 336 of days.'),
  }),
  settings: { data: dataSettings, topic: pick(topicSettings, ['topic']), store: storeSettings },
  json: true,
  async run({ flags, settings, positionals, env, json, print, note, result }) {
    const [action, id] = positionals as [string, string | undefined]
    if (!(actions as readonly string[]).includes(action)) throw new UsageError(`no action ${action}: choose one of ${actions.join(', ')}`)
    if (action === 'list' && id !== undefined) throw new UsageError('list takes no alert id: use show')
    if (action !== 'list' && id === undefined) throw new UsageError(`${action} of which alert? reelpulse alert list shows their ids`)
    if (id !== undefined && !/^[0-9a-fA-F-]{4,36}$/.test(id)) throw new UsageError(`${id} is no alert id: at least 4 of its hex digits`)
    const strategyAt = flags.strategyAt === undefined ? undefined : Date.parse(flags.strategyAt)
    if (Number.isNaN(strategyAt)) throw new UsageError(`--strategy-at ${flags.strategyAt} is no instant: write it as 2026-03-01T08:00:00Z`)
    const [{ openStore }, reviews, { effectOf }, { renderAlert, renderEffect, renderList }] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../alerts/reviews.ts'),
      import('../../alerts/effect.ts'),
      import('../../alerts/render.ts'),
    ])
    const store = await openStore(settings, { create: false })
    try {
      if (id === undefined) {
        const alerts = await reviews.listAlerts(store, flags)
        if (!json)
          print(alerts.length === 0 ? `No alert is ${flags.which === 'all' ? 'there' : flags.which}.` : renderList(alerts, Date.now()))
        result({ alerts })
        return exitGood
      }
      const found = await reviews.findAlert(store, id)
      if (found.kind === 'ambiguous') throw new UsageError(`several alerts begin with ${id}: ${found.ids.join(', ')}`)
      if (found.kind === 'unknown') {
        note(`No alert ${id} has fired on topic ${settings.topic.topic}. reelpulse alert list --which all shows those that have.`)
        return exitFinding
      }
      const alert = found.value
      if (action === 'effect') {
        const effect = await effectOf(store, alert, flags.hours === undefined ? undefined : flags.hours * 3_600_000)
        if (typeof effect === 'string') {
          note(effect)
          return exitFinding
        }
        if (!json) print(renderEffect(alert, effect))
        result({ alert_id: alert.alert_id, kpi: alert.kpi, strategy: alert.strategy, ...effectFigures(effect) })
        return exitGood
      }
      if (isReview(action)) {
        const { text, cause, strategy } = flags
        const by = flags.by ?? env['USER'] ?? ''
        const hindrance = await reviews.writeReview(store, alert, { action, by, text, cause, strategy, strategyAt }, Date.now())
        if (hindrance !== undefined) throw new UsageError(`${action}: ${hindrance}`)
      }
      const now = await reviews.findAlert(store, alert.alert_id)
      const detail = await reviews.showAlert(store, now.kind === 'found' ? now.value : alert)
      if (!json) print(renderAlert(detail))
      result(detail)
      return exitGood
    } finally {
      await store.close()
    }
  },
})

const isReview = (action: string): action is Exclude<Action, 'list' | 'show' | 'effect'> => ['ack', 'note', 'close'].includes(action)

/** snake_case, and null for what is not known: JSON has no NaN. */
function effectFigures(effect: Exclude<Awaited<ReturnType<(typeof import('../../alerts/effect.ts'))['effectOf']>>, string>) {
  const known = (value: number) => (Number.isFinite(value) ? value : null)
  const { treated, control, before, after } = effect
  return {
    verdict: effect.verdict, effect: known(effect.effect), low: known(effect.low), high: known(effect.high),
    expected_after: known(effect.expectedAfter),
    treated_before: known(treated.before), treated_after: known(treated.after),
    control_before: control === undefined ? null : known(control.before), control_after: control === undefined ? null : known(control.after),
    control_cells: effect.controlCells,
    before: [before.fromMs, before.toMs], after: [after.fromMs, after.toMs],
  } // prettier-ignore
}
