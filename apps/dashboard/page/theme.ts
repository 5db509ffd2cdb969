/** Colours that are drawn on canvases; the styles own them. */
export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly axis: string;
  readonly surface: string;
  readonly warning: string;
  readonly critical: string;
  readonly info: string;
  readonly threshold: string;
  readonly series: readonly string[];
  stage(stage: string): string;
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: get('text'),
    muted: get('muted'),
    grid: get('grid'),
    axis: get('axis'),
    surface: get('surface'),
    warning: get('warning'),
    critical: get('critical'),
    info: get('muted'),
    threshold: get('threshold'),
    series: Array.from({ length: 8 }, (_, i) => get(`series-${i + 1}`)),
    stage: (stage) => get(`stage-${stage.replaceAll('_', '-')}`) || get('stage-unknown'),
  };
}

/** `#rrggbb` with an opacity. */
export function withAlpha(colour: string, alpha: number): string {
  const byte = Math.round(alpha * 255)
    .toString(16)
    .padStart(2, '0');
  return `${colour}${byte}`;
}

type Theme = 'dark' | 'light';
const storageKey = 'stagewatch.theme';
const listeners = new Set<() => void>();
const darkQuery = matchMedia('(prefers-color-scheme: dark)');

export function currentTheme(): Theme {
  const chosen = stored();
  return chosen ?? (darkQuery.matches ? 'dark' : 'light');
}

export function startTheme(): void {
  darkQuery.addEventListener('change', apply);
  apply();
}

export function toggleTheme(): void {
  const next: Theme = currentTheme() === 'dark' ? 'light' : 'dark';
  const system: Theme = darkQuery.matches ? 'dark' : 'light';
  // What the system says anyway need not be remembered.
  remember(storageKey, next === system ? undefined : next);
  apply();
}

export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A small setting of this browser; private windows may refuse to keep one. */
export function remember(key: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Only this page forgets it.
  }
}

export function recall(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function stored(): Theme | undefined {
  const value = recall(storageKey);
  return value === 'dark' || value === 'light' ? value : undefined;
}

function apply(): void {
  document.documentElement.dataset['theme'] = currentTheme();
  for (const listener of listeners) listener();
}
