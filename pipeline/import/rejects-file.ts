// Every bad row of an import, one line of JSON each; written as they come, however many.
import { closeSync, openSync, writeFileSync } from 'node:fs'

const bufferedChars = 65_536

export function rejectsFile(path: string) {
  const file = openSync(path, 'w')
  let waiting = ''
  const flush = () => {
    writeFileSync(file, waiting)
    waiting = ''
  }
  return {
    add(line: number, reason: string): void {
      waiting += `${JSON.stringify({ line, reason })}\n`
      if (waiting.length >= bufferedChars) flush()
    },
    close(): void {
      flush()
      closeSync(file)
    },
  }
}
