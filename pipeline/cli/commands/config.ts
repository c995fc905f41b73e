// `reelpulse config`: every setting as it takes effect, and where it was said.
import { allSettings } from '../../config/groups.ts'
import { defineCommand, exitGood } from '../command.ts'

const hidden = '(hidden)'

export const command = defineCommand({
  name: 'config',
  summary: 'print the settings as they take effect, secrets hidden',
  help: 'Takes every setting as a flag or from the environment (flags win), checks all of them, and prints what holds.',
  examples: [
    ['config', 'What holds now.'],
    ['config --emit-s 10 --brokers kafka:9092 --json', 'What would hold with these flags, as JSON.'],
  ],
  settings: allSettings,
  json: true,
  run({ settings, print, result, json }) {
    const figures: Record<string, Record<string, unknown>> = {}
    for (const [name, group] of Object.entries(allSettings)) {
      const shown: Record<string, unknown> = (figures[name] = {})
      const values = settings[name as keyof typeof allSettings] as Readonly<Record<string, unknown>>
      for (const [key, setting] of Object.entries(group.settings)) {
        const value = values[key]
        const secret = 'secret' in setting && setting.secret
        shown[setting.env] = secret && value !== undefined && value !== '' ? hidden : (value ?? null)
      }
      if (!json) {
        print(group.title)
        for (const [variable, value] of Object.entries(shown)) print(`  ${variable.padEnd(24)} ${tell(value)}`)
        print('')
      }
    }
    result(figures)
    return exitGood
  },
})

const tell = (value: unknown) => {
  const text = Array.isArray(value) ? value.join(',') : value === null ? '' : JSON.stringify(value).replace(/^"|"$/g, '')
  return text === '' ? '(not set)' : text
}
