// What somebody does about an alert: take it on, note something, write its root cause, close it.
import { useRef, useState } from 'preact/hooks'
import type { Language } from '../board.ts'
import { wordIn, type Kpis, type Row } from './figures.ts'
import { keep, kept } from './kept.ts'
import type { Refusal, ReviewBody } from './protocol.ts'
import { words } from './words.ts'

const nameKey = 'reelpulse-name'

export function ReviewButton({ row, language, kpis }: { row: Row; language: Language; kpis: Kpis }) {
  const w = words[language]
  const dialog = useRef<HTMLDialogElement>(null)
  const [said, setSaid] = useState<{ isGood: boolean; text: string }>()
  const [isSending, setSending] = useState(false)
  const reviewId = useRef('')
  if (row['state'] === 'pending' || typeof row['alert_id'] !== 'string') return null
  const kpi = String(row['kpi'] ?? '')
  const about = `${kpis[kpi]?.words[language] ?? kpi}${row['dimension'] === 'all' || row['value'] === '' ? '' : ` · ${row['value']}`}`

  async function send(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const form = new FormData(event.target as HTMLFormElement)
    const text = (name: string) => wordIn(form, name)
    const body: ReviewBody = {
      alert_id: String(row['alert_id']),
      review_id: reviewId.current,
      action: (event.submitter as HTMLButtonElement).value as ReviewBody['action'],
      by: text('by'),
      cause: text('cause'),
      strategy: text('strategy'),
      text: text('text'),
    }
    keep(nameKey, body.by)
    setSending(true)
    try {
      const answer = await fetch('/api/review', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      })
      if (answer.ok) {
        setSaid({ isGood: true, text: w.saved })
        dialog.current?.close()
      } else setSaid({ isGood: false, text: `${w.notSaved}: ${((await answer.json()) as Refusal).error}` })
    } catch {
      setSaid({ isGood: false, text: `${w.notSaved}: ${w.lostShort}` })
    } finally {
      setSending(false)
    }
  }

  return (
    <>
      <button
        type="button"
        class="quiet"
        aria-label={w.reviewOf(about)}
        onClick={() => {
          reviewId.current = randomId()
          setSaid(undefined)
          dialog.current?.showModal()
        }}
      >
        {said?.isGood === true ? w.saved : w.review}
      </button>
      <dialog ref={dialog} aria-label={w.reviewOf(about)}>
        <form onSubmit={(event) => void send(event)}>
          <h2>{w.reviewOf(about)}</h2>
          <label>
            <span>{w.yourName}</span>
            <input name="by" required maxLength={200} defaultValue={kept(nameKey) ?? ''} autocomplete="name" />
          </label>
          <label>
            <span>{w.cause}</span>
            <textarea name="cause" rows={2} maxLength={2_000} />
          </label>
          <label>
            <span>{w.strategy}</span>
            <textarea name="strategy" rows={2} maxLength={2_000} />
          </label>
          <label>
            <span>{w.text}</span>
            <textarea name="text" rows={2} maxLength={4_000} />
          </label>
          {said?.isGood === false ? (
            <p class="bad" role="alert">
              {said.text}
            </p>
          ) : null}
          <p class="actions">
            <button type="submit" name="action" value="ack" disabled={isSending}>
              {w.acknowledge}
            </button>
            <button type="submit" name="action" value="note" disabled={isSending}>
              {w.note}
            </button>
            <button type="submit" name="action" value="close" disabled={isSending}>
              {w.close}
            </button>
            <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
              {w.cancel}
            </button>
          </p>
        </form>
      </dialog>
    </>
  )
}

/** A UUID; crypto.randomUUID is there only where the page came over TLS or from this machine. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
