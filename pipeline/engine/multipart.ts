// The parts of a multipart/form-data body: how clients send parameters that are too long for a URL.
import { faults } from './fault.ts'

export type Part = { name: string; value: Buffer }

export function readMultipart(body: Buffer, boundary: string): Part[] {
  const delimiter = Buffer.from(`--${boundary}`)
  const parts: Part[] = []
  let at = body.indexOf(delimiter)
  for (;;) {
    if (at < 0) throw faults.badArguments('The multipart body has no closing boundary')
    at += delimiter.length
    if (body.subarray(at, at + 2).toString() === '--') return parts
    const headEnd = body.indexOf('\r\n\r\n', at)
    const next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), delimiter]), headEnd < 0 ? at : headEnd + 2)
    if (headEnd < 0 || next < 0) throw faults.badArguments('The multipart body has no closing boundary')
    const name = /^content-disposition:[^\r\n]*?\bname="([^"]*)"/im.exec(body.subarray(at, headEnd).toString())
    if (name === null) throw faults.badArguments('A part of the multipart body has no name')
    parts.push({ name: name[1]!, value: body.subarray(headEnd + 4, next) })
    at = next + 2
  }
}
