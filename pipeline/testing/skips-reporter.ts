// At the end of a run, names every suite and test that was skipped, with the reason it gave: a skip is never silent.
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

export function skipsReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      const skips = modules.flatMap(skipsOf)
      if (skips.length === 0) return
      const tests = skips.reduce((sum, skip) => sum + skip.tests, 0)
      const lines = skips.map((skip) => `   ${skip.name} (${skip.tests})${skip.reasons.map((reason) => `: ${reason}`).join('')}`)
      process.stdout.write(`\n Skipped: ${tests} tests\n${lines.join('\n')}\n\n`)
    },
  }
}

type Skip = { name: string; tests: number; reasons: string[] }

/** The outermost suites of which every test was skipped, and single tests elsewhere. */
function skipsOf(node: TestModule | TestSuite): Skip[] {
  const tests = [...node.children.allTests()]
  const skipped = tests.filter((one) => one.result().state === 'skipped')
  if (skipped.length === 0) return []
  if (node.type === 'suite' && skipped.length === tests.length) return [skipOf(node, skipped)]
  return [...node.children].flatMap((child) => {
    if (child.type === 'suite') return skipsOf(child)
    return child.result().state === 'skipped' ? [skipOf(child, [child])] : []
  })
}

/** `context.skip('why')` leaves a note; a suite skipped by `describe.skipIf` says why in its name. */
function skipOf(node: TestSuite | TestCase, tests: readonly TestCase[]): Skip {
  const notes = tests.flatMap((one) => {
    const result = one.result()
    return result.state === 'skipped' && result.note !== undefined ? [result.note] : []
  })
  return { name: `${node.module.relativeModuleId} > ${node.fullName}`, tests: tests.length, reasons: [...new Set(notes)] }
}
