// `reelpulse evaluate`: measures an operator against labelled data.
import { z } from 'zod'
import { defineCommand, exitGood, UsageError } from '../command.ts'
import { nearest } from '../nearest.ts'

const subjects = ['causes']

export const command = defineCommand({
  name: 'evaluate',
  summary: 'measure how well causes are found, on labelled cases',
  help: `evaluate causes <folder> looks for the causes of labelled cases as an alert does, and ends with one line of JSON:
{"cases":…,"top1":…,"top3":…,"top5":…,"microF1":…}.

The folder has anomaly.yaml, a list of {data: <name>, timestamp: <epoch s>, cause: <cell or list of cells>}, a cell being
{dimension: value, …}, and for each a <name>.csv with the columns min (epoch seconds of the minute), value (numerator), cnt
(denominator); every other column is a dimension. Minutes before the timestamp are the baseline, later ones are not read.

topK is the share of cases in which every true cause is among the first K ranked candidates: with two true causes a case cannot
be a hit at 1. microF1 counts, over all cases, the causes that were found against the true ones; a cell is right only where it is
equal, dimension for dimension.`,
  examples: [
    ['evaluate causes ./cases', 'The figures of a folder of cases.'],
    ['evaluate causes ./cases --cases', 'Also a line for each case: what was found, and what was true.'],
  ],
  flags: z.object({
    cases: z.boolean().default(false).describe('Print a line for each case before the figures.'),
    direction: z.enum(['rise', 'fall', 'either']).default('either').describe('Which way the figure went.'),
  }),
  positionals: [
    { name: 'what', doc: `What is measured: ${subjects.join(', ')}.` },
    { name: 'folder', doc: 'Folder of labelled cases.' },
  ],
  json: true,
  async run({ flags, positionals: [what = '', folder = ''], json, print, note, result }) {
    if (!subjects.includes(what))
      throw new UsageError(`cannot evaluate "${what}"${nearest(what, subjects)}; it knows ${subjects.join(', ')}`)
    const [{ evaluateCauses, renderCase }, { existsSync, statSync }] = await Promise.all([
      import('../../evaluate/causes.ts'),
      import('node:fs'),
    ])
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
