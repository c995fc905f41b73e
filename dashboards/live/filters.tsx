// What can be chosen on a board: the range of time, and its variables.
import { anyValue, defaultKpi, type Language } from '../board.ts'
import { useState } from 'preact/hooks'
import { liveRanges, type BoardInfo, type Option, type Options } from './protocol.ts'
import { wordIn } from './figures.ts'
import type { Place } from './state.ts'
import { valueOf, words } from './words.ts'

export type FiltersProps = {
  board: BoardInfo
  place: Place
  language: Language
  /** Values of each variable, as far as they are known. */
  options: Readonly<Record<string, Options>>
  hrefOf(place: Place): string
  go(href: string): void
}

export function Filters({ board, place, language, options, hrefOf, go }: FiltersProps) {
  const w = words[language]
  const isCustom = !('last' in place.range)
  const [asks, setAsks] = useState(false)
  const choose = (name: string, value: string) => go(hrefOf({ ...place, choice: { ...place.choice, [name]: value } }))
  const chosen = Object.keys(place.choice).length > 0

  return (
    <div class="filters">
      <nav class="segments" aria-label={w.range}>
        {liveRanges.map((last) => (
          <a key={last} href={hrefOf({ ...place, range: { last } })} aria-current={'last' in place.range && place.range.last === last ? 'true' : undefined}>
            {last}
          </a>
        ))}
        <button type="button" aria-expanded={asks || isCustom} aria-current={isCustom ? 'true' : undefined} onClick={() => setAsks(!asks)}>{w.custom}</button>
      </nav>
      {asks || isCustom ? <Custom key={JSON.stringify(place.range)} place={place} language={language} hrefOf={hrefOf} go={go} /> : null}
      <div class="choices" role="group" aria-label={w.variables}>
        {board.variables.map(({ name, words: said }) =>
          name === 'user_id' ? (
            <form key={name} onSubmit={(event) => {
              event.preventDefault()
              choose('user_id', wordIn(new FormData(event.currentTarget), 'user_id').trim())
            }}>
              <label>
                <span>{w.find_user}</span>
                <input name="user_id" maxLength={512} defaultValue={place.choice['user_id'] ?? ''} key={place.choice['user_id']} autocomplete="off" spellcheck={false} />
              </label>
              <button type="submit">{w.open}</button>
            </form>
          ) : (
            <label key={name}>
              <span>{said[language]}</span>
              {options[name]?.more === true ? typed(name) : listed(name)}
            </label>
          ),
        )}
        {chosen ? <a class="clear" href={hrefOf({ ...place, choice: {} })}>{w.clear}</a> : null}
      </div>
    </div>
  ) // prettier-ignore

  function listed(name: string) {
    const saidOf = ({ value, words: said }: Option) => (value === anyValue ? w.all : (said?.[language] ?? valueOf(name, value, language)))
    return (
      <select value={place.choice[name] ?? (name === 'kpi' ? defaultKpi : anyValue)} onChange={(event) => choose(name, event.currentTarget.value)}>
        {optionsOf(name).map((option) => <option key={option.value} value={option.value}>{saidOf(option)}</option>)}
      </select>
    ) // prettier-ignore
  }

  /** More values than anybody would look through: some are proposed, and any can be typed. */
  function typed(name: string) {
    const now = place.choice[name]
    return (
      <>
        <input
          key={now} list={`values-${name}`} maxLength={512} placeholder={w.all} aria-description={w.moreValues} autocomplete="off" spellcheck={false}
          defaultValue={now === anyValue ? '' : (now ?? '')} onChange={(event) => choose(name, event.currentTarget.value.trim() || anyValue)}
        />
        <datalist id={`values-${name}`}>{optionsOf(name).map(({ value }) => <option key={value} value={value} />)}</datalist>
      </>
    ) // prettier-ignore
  }

  function optionsOf(name: string): readonly Option[] {
    const known = options[name]?.options ?? []
    const all = name === 'kpi' ? known : [{ value: anyValue }, ...known]
    const now = place.choice[name]
    return now === undefined || all.some(({ value }) => value === now) ? all : [...all, { value: now }]
  }
}

function Custom({ place, language, hrefOf, go }: Pick<FiltersProps, 'place' | 'language' | 'hrefOf' | 'go'>) {
  const w = words[language]
  const { range } = place
  const local = (ms: number) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
  const given = (text: string, other: number) => (/^\d{1,15}$/.test(text) && Number(text) < 8e15 ? local(Number(text)) : local(other))
  const [from, to] =
    'last' in range
      ? [local(Date.now() - 3_600_000), local(Date.now())]
      : [given(range.from, Date.now() - 3_600_000), given(range.to, Date.now())]
  return (
    <form class="custom" onSubmit={(event) => {
      event.preventDefault()
      const form = new FormData(event.currentTarget)
      const ms = (name: string) => String(Date.parse(wordIn(form, name)))
      go(hrefOf({ ...place, range: { from: ms('from'), to: ms('to') } }))
    }}>
      <label><span>{w.from}</span><input type="datetime-local" name="from" required defaultValue={from} /></label>
      <label><span>{w.to}</span><input type="datetime-local" name="to" required defaultValue={to} /></label>
      <button type="submit">{w.apply}</button>
    </form>
  ) // prettier-ignore
}
