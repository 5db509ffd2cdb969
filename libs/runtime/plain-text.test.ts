import { expect, it } from 'vitest';
import { faultOfName, faultOfText } from './plain-text.js';

it.each(['', ' ', '\u00a0', '\u200b', '\u200b\u2060\ufeff', '\u3164', '\u2800 \u00ad'])('%j is no name', (name) => {
  expect(faultOfName(name)).toMatch(/can be seen/);
});

it.each(['a\u202eb', '\u2066x\u2069', 'a\u200fb', 'a\u061cb', 'a\nb', 'a\u0085b', 'a\u2028b', 'a\u007fb'])(
  '%j shows itself as something else',
  (text) => {
    expect(faultOfText(text)).toMatch(/control characters/);
    expect(faultOfName(text)).toMatch(/control characters/);
  },
);

it.each(['run 7', 'größe', 'отчёт', '学習', 'שלום', 'loss.train', '👩‍🔬 trial'])('%j is a name', (name) => {
  expect(faultOfName(name)).toBeUndefined();
  expect(faultOfText('')).toBeUndefined();
});
