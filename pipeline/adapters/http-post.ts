// One POST to a receiver of alerts: what its answer means, and an end to it whatever the receiver does.
import { NotTaken } from '../ports/notifier.ts'

const timeoutMs = 10_000
/** Time in which somebody may put a token or a path right at the receiver's end (ms). */
const mistakeMs = 3_600_000
/** The message itself is refused: the same one will be refused again. */
const refusals = new Set([400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 451])
/** Answers of a receiver that is busy, not of one that means it. */
const busy = new Set([408, 421, 423, 425, 429])

/** How long the same may be tried again after a status that is not 2xx (ms). */
export function patienceFor(status: number): number {
  if (refusals.has(status)) return 0
  return status >= 400 && status < 500 && !busy.has(status) ? mistakeMs : Infinity
}

/** Resolves on 2xx; throws NotTaken otherwise. Messages name the host only, because the URL may carry a secret. */
export async function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
  patientMs = timeoutMs,
): Promise<void> {
  const target = new URL(url)
  const { host, username, password } = target
  // fetch takes no login in a URL, and would say it aloud.
  target.username = ''
  target.password = ''
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const authorization = login === ':' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }
  const response = await fetch(target, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization, ...headers },
    body,
    // A redirected POST arrives as a GET, without its body.
    redirect: 'manual',
    signal: AbortSignal.timeout(patientMs),
  }).catch((error: unknown) => {
    throw new NotTaken(`${host} did not answer: ${reasonOf(error, patientMs)}`, Infinity, { cause: error })
  })
  const { status } = response
  if (status >= 200 && status < 300) {
    // The status is the acknowledgement: what comes after it may hang.
    void response.body?.cancel().catch(() => {})
    return
  }
  const said = status < 400 ? '' : await beginningOf(response)
  throw new NotTaken(
    `${host} answered ${status}, not 2xx${status >= 300 && status < 400 ? ': a redirect is not followed; set the address it leads to' : said}`,
    patienceFor(status),
  )
}

const reasonOf = (error: unknown, waitedMs: number): string => {
  if (!(error instanceof Error)) return String(error)
  const code = (error.cause as { code?: string } | undefined)?.code
  return error.name === 'TimeoutError' ? `no answer within ${waitedMs / 1000} s` : (code ?? error.message)
}

/** What it says of why, for people. */
async function beginningOf(response: Response): Promise<string> {
  const text = await response.text().catch(() => '')
  const line = text.replaceAll(/\s+/g, ' ').trim().slice(0, 200)
  return line === '' ? '' : `: ${line}`
}
