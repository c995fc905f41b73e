// The page of the KPIs, made from the catalogue; `reelpulse generate` writes it.
import type { GeneratedFile } from '../../schemas/generate.ts'
import { catalogue, catalogueNames, type CatalogueName } from './catalogue.ts'
import type { KpiEntry, Term } from './metric.ts'

const groups = [['core content', 'core user', 'core commercial'], ['user'], ['content'], ['commercial'], ['brand'], ['quality']] as const
const titles = ['The core', 'Users', 'Content', 'Trade', 'Brand and service', 'Quality of the data'] as const

function termText(term: Term): string {
  const per = term.per === undefined ? '' : ` ÷ ${term.per}`
  if (!('measures' in term)) return `\`${'daily' in term ? term.daily : term.signals}\`${per}`
  const sum = term.measures.map((name) => `\`${name}\``).join(' + ')
  return `${term.measures.length > 1 ? `(${sum})` : sum}${per}`
}

const formula = ({ numerator, denominator }: KpiEntry) =>
  denominator === null ? termText(numerator) : `${termText(numerator)} ÷ ${termText(denominator)}`

const limits = ({ target, better, minimumDenominator, threshold }: KpiEntry) => [
  target === null ? '–' : `${better === 'down' ? '≤' : '≥'} ${target}`,
  minimumDenominator === null ? '–' : String(minimumDenominator),
  threshold === null ? '–' : `${Number((threshold * 100).toFixed(1))} %`,
]

function section(title: string, names: readonly CatalogueName[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const rows = names.map((name) => {
    const entry = catalogue[name]
    return `| \`${name}\` | ${entry.grain} | ${cell(formula(entry))} | ${entry.unit} | ${limits(entry).join(' | ')} |`
  })
  return [
    `## ${title}`,
    '',
    '| KPI | from | is | unit | target | least volume | told at |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
    ...names.map((name) => `- \`${name}\`: ${catalogue[name].meaning}`),
  ].join('\n')
}

const head = `# The KPIs

Made from the catalogue in \`operators/kpi\` by \`npm run generate\`: change it there.

*From* is the finest bucket in which a KPI is watched; coarser ones have it too. Names in \`code\` are columns of \`kpi_deltas\`
([what they count](figures.md#kpis-kpi_deltas)), figures of a day (the queries in \`operators/kpi/daily.ts\`), or SQL over
\`customer_signals\`. A KPI of columns is in the views \`kpi_minute\`, \`kpi_hour\` and \`kpi_day\` under its name, for every cell; a ratio with
nothing to divide by is null. *Least volume*: a bucket of a cell whose denominator is below it says nothing. *Told at*: a relative change for the
worse, against the baseline, from which on someone is told ([alerts](alerts.md)).`

export function generatedFiles(): GeneratedFile[] {
  const sections = groups.map((group, i) =>
    section(
      titles[i]!,
      catalogueNames.filter((name) => (group as readonly string[]).includes(catalogue[name].group)),
    ),
  )
  return [{ path: 'docs/guide/kpis.md', content: `${[head, ...sections].join('\n\n')}\n` }]
}
