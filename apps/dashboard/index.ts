export { createDashboard, type Dashboard } from './dashboard.js';
export type { DashboardOptions, ReadinessCheck } from './options.js';
export type { AlertsPort } from './alerts-port.js';
