// An incident as it is written on a command line: `channel=organic,kpi=completion,drop=0.5,at=+6h,for=20m`.
import { durationForm, durationMs, instantForm, instantMs } from './duration.ts'
import { channelWeights } from './generator/marginals.ts'
import { incidentKpis, type Incident, type IncidentKpi } from './generator/incident.ts'

export type IncidentText = { ok: true; at(startMs: number): Incident } | { ok: false; wants: string }

const keys = ['channel', 'kpi', 'drop', 'at', 'for']

/** `at`: an instant, or `+6h` after the start (default at the start); `for`: default for ever. */
export function readIncident(text: string): IncidentText {
  const wrong = (wants: string): IncidentText => ({ ok: false, wants })
  const said = new Map<string, string>()
  for (const part of text.split(',')) {
    const [key = '', value = '', ...rest] = part.trim().split('=')
    if (!keys.includes(key) || value === '' || rest.length > 0 || said.has(key))
      return wrong(`key=value between commas, of ${keys.join(', ')}, each once; "${part.trim()}" is none`)
    said.set(key, value)
  }
  const kpi = said.get('kpi') ?? 'completion'
  if (!incidentKpis.includes(kpi as IncidentKpi)) return wrong(`kpi= one of ${incidentKpis.join(', ')}`)
  const channel = said.get('channel')
  const channels = channelWeights.map(([name]) => name)
  if (channel !== undefined && !channels.includes(channel)) return wrong(`channel= one of ${channels.join(', ')}`)
  const drop = Number(said.get('drop') ?? 0.5)
  if (!(drop > 0 && drop <= 1)) return wrong('drop= a share above 0 and up to 1')
  const lasts = said.has('for') ? durationMs(said.get('for')!) : Infinity
  if (lasts === undefined) return wrong(`for= ${durationForm}`)
  const at = said.get('at') ?? '+0s'
  const after = at.startsWith('+') ? durationMs(at.slice(1)) : undefined
  const instant = at.startsWith('+') ? undefined : instantMs(at)
  if (after === undefined && instant === undefined) return wrong(`at= + and ${durationForm}, or ${instantForm}`)
  return {
    ok: true,
    at(startMs) {
      const fromMs = instant ?? startMs + after!
      return { ...(channel === undefined ? {} : { channel }), kpi: kpi as IncidentKpi, drop, fromMs, toMs: fromMs + lasts }
    },
  }
}
