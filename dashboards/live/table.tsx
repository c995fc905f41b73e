// Rows of a panel as a table: figures in columns, sentences below them.
import { Fragment, type ComponentChildren } from 'preact'
import { cellText, columnName, recordOf, type Row } from './figures.ts'
import { mostRows, type RowsProps } from './pieces.tsx'
import type { ColumnInfo } from './protocol.ts'
import { words } from './words.ts'

/** What a program wants of a row, and nobody reads. */
const unread: ReadonlySet<string> = new Set(['alert_id'])

type TableProps = RowsProps & {
  /** At the end of a row. */
  extra?: ((row: Row) => ComponentChildren) | undefined
}

export function Table({ panel, data, language, kpis, hrefOf, extra }: TableProps) {
  const w = words[language]
  const read = panel.columns.filter(({ name }) => !unread.has(name))
  const [columns, prose] = [read.filter(({ isProse }) => isProse !== true), read.filter(({ isProse }) => isProse === true)]
  const naming = panel.drill?.value ?? columns[0]!.name
  const left = data.rows.length - mostRows
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={panel.title[language]}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.name} scope="col" class={column.is === 'number' ? 'number' : ''}>
                {columnName(column, language)}
              </th>
            ))}
            {extra === undefined ? null : (
              <th scope="col" class="act">
                <span class="hidden">{w.review}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {data.rows.slice(0, mostRows).map((values, r) => {
            const row = recordOf(data, values)
            const href = hrefOf(row)
            const id = `panel-${panel.id}-row-${r}`
            const said = prose.filter(({ name }) => (row[name] ?? '') !== '')
            return (
              <Fragment key={r}>
                <tr>
                  {columns.map((column) => {
                    const text = cellText(column, row, language, kpis)
                    const looks = looksOf(column, row, text)
                    return column.name === naming ? (
                      <th key={column.name} scope="row" id={id} class={looks}>
                        {href === undefined ? text : <a href={href}>{text}</a>}
                      </th>
                    ) : (
                      <td key={column.name} class={looks}>
                        {text}
                      </td>
                    )
                  })}
                  {extra === undefined ? null : <td class="act">{extra(row)}</td>}
                </tr>
                {said.length === 0 ? null : (
                  <tr class="said">
                    <td colSpan={columns.length + (extra === undefined ? 0 : 1)} headers={id}>
                      <dl>
                        {said.map((column) => (
                          <div key={column.name}>
                            <dt>{columnName(column, language)}</dt> <dd>{cellText(column, row, language, kpis)}</dd>
                          </div>
                        ))}
                      </dl>
                    </td>
                  </tr>
                )}
              </Fragment>
            )
          })}
        </tbody>
      </table>
      {left > 0 ? <p class="note">{w.moreRows(left)}</p> : null}
    </div>
  )
}

function looksOf({ name, is }: ColumnInfo, row: Row, text: string): string {
  if (is === 'number') return 'number'
  if (is !== 'text') return 'time'
  if (name === 'state') return `is-${String(row[name])}`
  // Values that come from outside may be of any length.
  return text.length > 40 ? 'long' : ''
}
