/** Asks a person for what an action needs before it is done: a few fields, in a dialog. One at a time. */

import { signal } from '@preact/signals';
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { Dialog } from './dialog.js';

export interface Field {
  readonly name: string;
  readonly label: string;
  /** `members`: a JSON object. */
  readonly kind: 'text' | 'json' | 'members';
  readonly value?: string;
  readonly optional?: boolean;
  /** To choose from; others may be typed. */
  readonly options?: readonly string[];
  readonly hint?: string;
}

interface Form {
  readonly title: string;
  readonly note?: string;
  readonly fields: readonly Field[];
  readonly submit: string;
  readonly danger?: boolean;
}

type Values = Readonly<Record<string, unknown>>;

const open = signal<(Form & { readonly answer: (values: Values | undefined) => void }) | undefined>(undefined);

/** By name; of JSON the value, of what was left empty nothing. Undefined: the person thought better of it. */
export async function fill(form: Form): Promise<Values | undefined> {
  open.peek()?.answer(undefined);
  return new Promise((resolve) => {
    open.value = {
      ...form,
      answer: (values) => {
        open.value = undefined;
        resolve(values);
      },
    };
  });
}

const nameKey = 'statewarden-by';
/** Who decides is kept with the decision. */
export const byField = (): Field => ({ name: 'by', label: 'Your name', kind: 'text', value: localStorage.getItem(nameKey) ?? '' });
export const noteField: Field = { name: 'note', label: 'Note', kind: 'text', optional: true };

export function FormDialog(): VNode | null {
  const form = open.value;
  return form === undefined ? null : <Filled key={form.title} {...form} />;
}

function Filled({
  title,
  note,
  fields,
  submit,
  danger = false,
  answer,
}: Form & { readonly answer: (values: Values | undefined) => void }): VNode {
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(
    Object.fromEntries(fields.map(({ name, value = '' }) => [name, value])),
  );
  const [faults, setFaults] = useState<Readonly<Record<string, string>>>({});
  const set = (name: string, text: string): void => {
    setTexts((before) => ({ ...before, [name]: text }));
    setFaults(({ [name]: _, ...others }) => others);
  };
  const send = (event: Event): void => {
    event.preventDefault();
    const values: Record<string, unknown> = {};
    const found: Record<string, string> = {};
    for (const { name, kind, optional = false } of fields) {
      const text = (texts[name] ?? '').trim();
      if (text === '') {
        if (!optional) found[name] = 'Needed.';
      } else if (kind === 'text') values[name] = text;
      else {
        try {
          const value: unknown = JSON.parse(text);
          if (kind === 'members' && (typeof value !== 'object' || value === null || Array.isArray(value)))
            found[name] = 'Not an object: write it as {"name": value}.';
          values[name] = value;
        } catch (error) {
          found[name] = `Not JSON: ${(error as Error).message}`;
        }
      }
    }
    setFaults(found);
    if (Object.keys(found).length > 0) return;
    if (typeof values['by'] === 'string') localStorage.setItem(nameKey, values['by']);
    answer(values);
  };
  return (
    <Dialog title={title} onClose={() => answer(undefined)}>
      <form onSubmit={send} noValidate>
        {note !== undefined && <p class="hint">{note}</p>}
        {fields.map((field) => (
          <FieldRow
            key={field.name}
            field={field}
            text={texts[field.name] ?? ''}
            fault={faults[field.name]}
            set={(text) => set(field.name, text)}
          />
        ))}
        <footer>
          <button type="button" class="button" onClick={() => answer(undefined)}>
            Cancel
          </button>
          <button type="submit" class={danger ? 'button danger' : 'button main'}>
            {submit}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

interface FieldRowProps {
  readonly field: Field;
  readonly text: string;
  readonly fault: string | undefined;
  readonly set: (text: string) => void;
}

function FieldRow({ field: { name, label, kind, optional = false, options, hint }, text, fault, set }: FieldRowProps): VNode {
  const id = `field-${name}`;
  const about = `${id}-about`;
  const common = {
    id,
    name,
    value: text,
    'aria-describedby': about,
    'aria-invalid': fault !== undefined,
    autocomplete: 'off',
    spellcheck: false,
  };
  return (
    <div class="field">
      <label for={id}>
        {label}
        {optional && <span class="optional">optional</span>}
      </label>
      {kind !== 'text' ? (
        <textarea {...common} rows={6} class="mono" onInput={(event) => set(event.currentTarget.value)} />
      ) : (
        <input {...common} type="text" onInput={(event) => set(event.currentTarget.value)} />
      )}
      {options !== undefined && options.length > 0 && (
        <div class="chips">
          {options.map((option) => (
            <button key={option} type="button" class="chip" aria-pressed={option === text} onClick={() => set(option)}>
              {option}
            </button>
          ))}
        </div>
      )}
      <p id={about} class={fault === undefined ? 'hint' : 'fault'}>
        {fault ?? hint ?? ''}
      </p>
    </div>
  );
}
