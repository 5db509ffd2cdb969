/** What the dashboard needs of the alerts. Rules and deliveries are plain JSON and pass through as they are. */
export interface AlertsPort {
  readonly rules: {
    list(): Promise<readonly object[]>;
    /** Checks the rule; throws a StagewatchError that names the field. */
    put(rule: unknown): Promise<object>;
    delete(id: string): Promise<unknown>;
  };
  deliveries(filter: { readonly run?: string; readonly limit?: number }): Promise<readonly object[]>;
  /** Sends a made-up finding to a rule's receiver, once. */
  test?(id: string): Promise<object>;
  /** The run is deleted: nothing of it is kept or sent. */
  forgetRun?(run: string): Promise<void>;
}
