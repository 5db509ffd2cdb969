export { createAlerts, type Alerts, type AlertsOptions, type DeliveryView, type TestResult } from './alerts.js';
export type { RuleView } from './rule.js';
