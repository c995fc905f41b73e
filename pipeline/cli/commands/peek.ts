// `reelpulse peek <user_id>`: what the store knows of one user.
import { z } from 'zod'
import { dataSettings, processSettings, storeSettings, topicSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { defineCommand, exitFinding, exitGood } from '../command.ts'

export const command = defineCommand({
  name: 'peek',
  summary: 'what is known of one user',
  help: `Prints the user's latest features row, every change of tier, and the last events, as they are in the store.
Exits 1 where the store has nothing of that user.`,
  examples: [
    ['peek u-000042', 'Features, tiers and the last 10 events of that user.'],
    ['peek u-000042 --events 50 --json', 'The same as JSON, with the last 50 events.'],
  ],
  positionals: [{ name: 'user_id', doc: 'Whom to look up.' }],
  flags: z.object({
    events: z.int('a whole number').min(0, 'at least 0').max(10_000, 'at most 10000').default(10).describe('How many of the last events.'),
  }),
  settings: {
    data: dataSettings,
    topic: pick(topicSettings, ['topic']),
    store: storeSettings,
    process: pick(processSettings, ['zone', 'currency']),
  },
  json: true,
  async run({ flags, settings, positionals, json, print, note, result }) {
    const [{ openStore }, { lookUpUser }, { renderUser }] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../peek/look-up.ts'),
      import('../../peek/render.ts'),
    ])
    const userId = positionals[0]!
    const store = await openStore(settings, { create: false })
    try {
      const user = await lookUpUser(store, userId, flags.events)
      result({ found: user !== undefined, user_id: userId, ...user })
      if (user === undefined) {
        note(`Nothing is known of user ${userId} in topic ${settings.topic.topic}.`)
        return exitFinding
      }
      if (!json) print(renderUser(user, settings.process))
      return exitGood
    } finally {
      await store.close()
    }
  },
})
