// `reelpulse evaluate`: measures an operator against labelled data.
import { z } from 'zod'
import { defineCommand, exitGood, UsageError } from '../command.ts'
import { nearest } from '../nearest.ts'

const subjects = ['causes', 'incidents']

export const command = defineCommand({
  name: 'evaluate',
  summary: 'measure how well incidents and their causes are found',
  help: `evaluate causes <folder> looks for the causes of labelled cases as an alert does, and ends with one line of JSON:
{"cases":…,"top1":…,"top3":…,"top5":…,"microF1":…}.

The folder has anomaly.yaml, a list of {data: <name>, timestamp: <epoch s>, cause: <cell or list of cells>}, a cell being
{dimension: value, …}, and for each a <name>.csv with the columns min (epoch seconds of the minute), value (numerator), cnt
(denominator); every other column is a dimension. Minutes before the timestamp are the baseline, later ones are not read.

topK is the share of cases in which every true cause is among the first K ranked candidates: with two true causes a case cannot
be a hit at 1. microF1 counts, over all cases, the causes that were found against the true ones; a cell is right only where it is
equal, dimension for dimension.

evaluate incidents simulates days of a service, minute by minute and leaf by leaf, and gives them to the detection and the
attribution as the product has them: incidents (one cell, two cells, everything; 15 to 60 % lost, half an hour to three hours),
and what must not alarm: nights, weekends, campaigns, a release, traffic halved. Then days without any incident, after two weeks
of history. An alert belongs to an incident of its KPI whose time and cells it touches; any other is a false alarm. Causes are
right only where they are the incident's cells, neither more nor fewer: those told when it fires, and those told 15 minutes
later.`,
  examples: [
    ['evaluate causes ./cases', 'The figures of a folder of cases.'],
    ['evaluate incidents', '30 days with 40 incidents, and 7 quiet days.'],
    ['evaluate causes ./cases --cases', 'Also a line for each case: what was found, and what was true.'],
  ],
  flags: z.object({
    cases: z.boolean().default(false).describe('Print a line for each case before the figures.'),
    days: z.coerce.number().int().min(4).max(120).default(30).describe('incidents: simulated days.'),
    incidents: z.coerce.number().int().min(1).max(1000).default(40).describe('incidents: how many.'),
    quietDays: z.coerce.number().int().min(0).max(60).default(7).describe('incidents: days without any, after two weeks of history.'),
    playsPerMinute: z.coerce.number().min(100).max(1e6).default(40_000).describe('incidents: at the busiest minute.'),
    seed: z.coerce.number().int().min(0).default(1).describe('incidents: of everything that is drawn.'),
    direction: z.enum(['rise', 'fall', 'either']).default('either').describe('Which way the figure went.'),
  }),
  positionals: [
    { name: 'what', doc: `What is measured: ${subjects.join(', ')}.` },
    { name: 'folder', doc: 'causes: folder of labelled cases.', optional: true },
  ],
  json: true,
  async run({ flags, positionals: [what = '', folder = ''], json, print, note, result }) {
    if (!subjects.includes(what))
      throw new UsageError(`cannot evaluate "${what}"${nearest(what, subjects)}; it knows ${subjects.join(', ')}`)
    if (what === 'incidents') {
      const { evaluateIncidents, renderIncident, renderFalseAlarm } = await import('../../evaluate/incidents/incidents.ts')
      const { figures, judged, falseAlarms } = evaluateIncidents({ ...flags, note })
      if (flags.cases) for (const one of judged) print(renderIncident(one))
      if (flags.cases) for (const one of falseAlarms) print(renderFalseAlarm(one))
      if (!json) print(JSON.stringify(figures))
      result(figures)
      return exitGood
    }
    const [{ evaluateCauses, renderCase }, { existsSync, statSync }] = await Promise.all([
      import('../../evaluate/causes.ts'),
      import('node:fs'),
    ])
    if (folder === '') throw new UsageError('<folder> is missing: a folder of labelled cases')
    if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`)
    if (!statSync(folder).isDirectory()) throw new UsageError(`${folder} is no folder: name the one that has anomaly.yaml`)
    const evaluated = evaluateCauses(folder, flags.direction === 'either' ? undefined : flags.direction)
    if (!evaluated.ok) throw new UsageError(evaluated.problems.join('\n'))
    const { figures, cases } = evaluated.value
    for (const { name, remark } of cases) if (remark !== undefined) note(`${name}: ${remark}`)
    if (flags.cases) for (const judged of cases) print(renderCase(judged))
    if (!json) print(JSON.stringify(figures))
    result(figures)
    return exitGood
  },
})
