// What the operators are told, from the settings of `process`: lists given one by one win over the dimensions file, and that over the catalogue.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { defaultSettings, type DimensionLists, type OperatorSettings } from '../../operators/settings.ts'
import type { ProcessSettings } from './groups.ts'
import { WrongSetting } from './value.ts'

const list = z
  .array(z.string('a list of words').max(512, 'words of at most 512 letters'), 'a list of words')
  .min(1, 'at least one word')
  .optional()
const dimensionsFile = z.strictObject({ channel: list, region: list, app_version: list, category: list, surface: list })

/** Throws WrongSetting where the dimensions file cannot be read or says something else. */
export function operatorSettingsOf(settings: ProcessSettings): OperatorSettings {
  const file = settings.dimensions === undefined ? {} : readDimensions(settings.dimensions)
  const fallback = defaultSettings.dimensions
  const dimensions: DimensionLists = {
    channel: settings.channels ?? file.channel ?? fallback.channel,
    region: settings.regions ?? file.region ?? fallback.region,
    app_version: settings.appVersions ?? file.app_version ?? fallback.app_version,
    category: settings.categories ?? file.category ?? fallback.category,
    surface: settings.surfaces ?? file.surface ?? fallback.surface,
  }
  return { emitMs: settings.emitS * 1000, decayRows: settings.decayRows, zone: settings.zone, currency: settings.currency, dimensions }
}

function readDimensions(path: string): z.infer<typeof dimensionsFile> {
  const wrong = (wants: string) => new WrongSetting([{ where: '--dimensions or REELPULSE_DIMENSIONS', got: path, wants }])
  let content: unknown
  try {
    // JSON is YAML too.
    content = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw wrong(`a YAML or JSON file that can be read (${(error as Error).message.split('\n')[0]})`)
  }
  const parsed = dimensionsFile.safeParse(content ?? {})
  if (parsed.success) return parsed.data
  throw wrong(parsed.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter((word) => word !== '').join(': ')).join('; '))
}
