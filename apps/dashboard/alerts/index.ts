export { createAlerts, type Alerts, type AlertsOptions, type DeliveryView } from './alerts.js';
