// What `doctor` says to a person: a line for each check by area, then the problems once more with their cure.
import { areas, type Finding, type Level } from './finding.ts'

const marks: Readonly<Record<Level, string>> = { ok: 'ok     ', warning: 'WARNING', problem: 'PROBLEM', unchecked: '?      ' }

const nameOf = ({ check, of }: Finding) => (of === undefined ? check : `${check} · ${of}`)

export function renderFindings(findings: readonly Finding[]): string {
  const lines: string[] = []
  for (const area of areas) {
    const ours = findings.filter((finding) => finding.area === area)
    if (ours.length === 0) continue
    lines.push(area)
    for (const finding of ours) lines.push(`  ${marks[finding.level]} ${nameOf(finding)}: ${finding.found}`)
    lines.push('')
  }
  for (const level of ['warning', 'problem'] as const)
    for (const finding of findings.filter((finding) => finding.level === level))
      lines.push(
        `${marks[level].trim()} ${finding.area}, ${nameOf(finding)}: ${finding.found}`,
        `  why: ${finding.why}`,
        `  fix: ${finding.fix}`,
        '',
      )
  return lines.join('\n').trimEnd()
}

export type Tally = { checks: number; problems: number; warnings: number; unchecked: number }

/** What could not be looked at is no check that was made. */
export function tallyOf(findings: readonly Finding[]): Tally {
  const countOf = (level: Level) => findings.filter((finding) => finding.level === level).length
  const unchecked = countOf('unchecked')
  return { checks: findings.length - unchecked, problems: countOf('problem'), warnings: countOf('warning'), unchecked }
}

/** Its form is a promise: scripts read it. */
export const lastLine = ({ checks, problems, warnings }: Tally) => `${checks} checks, ${problems} problems, ${warnings} warnings`
