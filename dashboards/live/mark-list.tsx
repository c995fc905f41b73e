// What is marked on charts, as text beside them: each kind has a sign of its own shape.
import type { Language } from '../board.ts'
import type { SaidMark } from './marks.ts'
import type { MarkKind } from './protocol.ts'
import { words } from './words.ts'

export function MarkSign({ of }: { of: MarkKind }) {
  return (
    <svg class={`sign ${of}`} viewBox="0 0 8 8" aria-hidden="true">
      <path d={of === 'alerts' ? 'M0 1h8L4 8z' : 'M4 0l4 4-4 4-4-4z'} />
    </svg>
  )
}

/** All that is marked on the board's charts, behind one line that says how much it is and what its signs mean. */
export function MarkList({ marks, language, href }: { marks: readonly SaidMark[]; language: Language; href: string }) {
  const w = words[language]
  const count = (of: MarkKind) => marks.filter((mark) => mark.of === of).length
  if (marks.length === 0) return null
  return (
    <details class="marks">
      <summary>
        {w.marked}:
        {(['alerts', 'releases'] as const)
          .filter((of) => count(of) > 0)
          .map((of) => (
            <span key={of}>
              <MarkSign of={of} /> {of === 'alerts' ? w.alerts(count(of)) : w.versions(count(of))}
            </span>
          ))}
      </summary>
      <ul tabIndex={0} aria-label={w.marked}>
        {marks.map(({ of, name, when }, i) => (
          <li key={i}>
            <MarkSign of={of} />
            <span>{of === 'alerts' ? <a href={href}>{name}</a> : name}</span>
            <span class="when">{when}</span>
          </li>
        ))}
      </ul>
    </details>
  )
}
