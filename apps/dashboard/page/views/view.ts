/** What fills the page at one address. */
export interface View {
  readonly element: HTMLElement;
  readonly title: string;
  /** Keys that this view understands; true when it took the key. */
  onKey?(event: KeyboardEvent): boolean;
  close(): void;
}
