// State says what it was made with: whether a run with other settings may go on from it.
import { other, type DimensionLists, type OperatorSettings } from '../../../operators/settings.ts'

/** What stands in for a code: the values that count under their own name, in the order of the list. */
const listed = (values: readonly string[]) => [...new Set(values)].filter((value) => value !== other)

/**
 * Why state made with the settings `was` cannot be gone on with under `is`; undefined where it can. Values added behind a list's end are
 * no hindrance: what was counted as `other` stays so, and the new name counts from here on.
 */
export function settingsHindrance(was: OperatorSettings, is: OperatorSettings): string | undefined {
  const differences = (['emitMs', 'decayRows', 'zone', 'currency'] as const)
    .filter((name) => was[name] !== is[name])
    .map((name) => `${name} was ${was[name]} and is ${is[name]}`)
  for (const name of Object.keys(is.dimensions) as (keyof DimensionLists)[]) {
    const before = listed(was.dimensions[name])
    const now = listed(is.dimensions[name])
    const at = before.findIndex((value, i) => value !== now[i])
    if (at >= 0) differences.push(`the ${at + 1}. value of ${name} was ${before[at]} and is ${now[at] ?? 'no more'}`)
  }
  if (differences.length === 0) return undefined
  return (
    `the state was made with other settings: ${differences.join('; ')}. ` +
    'Go back to those (values may be added only behind the end of a list), or process the topic anew with another --group'
  )
}
