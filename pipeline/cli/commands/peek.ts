// `reelpulse peek <user_id>`: what the store knows of one user.
import { z } from 'zod'
import { anyTopicSettings, dataSettings, processSettings, storeSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { defaultTopic, isSignalsTopic } from '../../config/names.ts'
import { defineCommand, exitFinding, exitGood } from '../command.ts'

export const command = defineCommand({
  name: 'peek',
  summary: 'what is known of one user',
  help: `Prints the user's latest features row, every change of tier, and the last events, as they are in the store: of every topic that has
the user, or of the one that is given. Of customer signals, the last ones (user_id may be a channel, of those that name no user). Exits 1 where nothing is known of that user.`,
  examples: [
    ['peek u10000042', 'Features, tiers and the last 10 events of that user.'],
    ['peek u10000042 --topic simulation --events 50 --json', 'The same as JSON, of one topic, with the last 50 events.'],
  ],
  positionals: [{ name: 'user_id', doc: 'Whom to look up.' }],
  flags: z.object({
    events: z.int('a whole number').min(0, 'at least 0').max(10_000, 'at most 10000').default(10).describe('How many of the last events.'),
  }),
  settings: {
    data: dataSettings,
    topic: anyTopicSettings,
    store: storeSettings,
    process: pick(processSettings, ['zone', 'currency']),
  },
  json: true,
  async run({ flags, settings, positionals, json, print, note, result }) {
    const [{ openStore }, { topicsIn }, { lookUpUser }, { lookUpSignals }, { renderSignals, renderUser }] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../verify/topics.ts'),
      import('../../peek/look-up.ts'),
      import('../../peek/look-up-signals.ts'),
      import('../../peek/render.ts'),
    ])
    const userId = positionals[0]!
    const wanted = settings.topic.topic
    // Held open till the end: with the last store of a directory its engine would stop.
    const first = await openStore({ ...settings, topic: { topic: wanted ?? defaultTopic } }, { create: false })
    try {
      const ofSignals = wanted === undefined ? await topicsIn(first, 'customer_signals') : [wanted].filter(isSignalsTopic)
      const topics = wanted === undefined ? [...(await topicsIn(first)), ...ofSignals] : [wanted]
      const found = []
      for (const topic of topics) {
        const store = await openStore({ ...settings, topic: { topic } })
        try {
          if (ofSignals.includes(topic)) {
            const record = await lookUpSignals(store, userId, flags.events)
            if (record === undefined) continue
            found.push({ topic, ...record })
            if (!json) print(`topic ${topic}\n${renderSignals(record, settings.process)}\n`)
            continue
          }
          const user = await lookUpUser(store, userId, flags.events)
          if (user === undefined) continue
          found.push({ topic, ...user })
          if (!json) print(`topic ${topic}\n${renderUser(user, settings.process)}\n`)
        } finally {
          await store.close()
        }
      }
      if (found.length === 0)
        note(`Nothing is known of user ${userId} in ${topics.length === 0 ? 'an empty store' : `topic ${topics.join(', ')}`}.`)
      result({ user_id: userId, found: found.length > 0, topics: found })
      return found.length > 0 ? exitGood : exitFinding
    } finally {
      await first.close()
    }
  },
})
