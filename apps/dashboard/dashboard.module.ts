import { Module, type DynamicModule } from '@nestjs/common';
import { BackupController } from './backup/backup.controller.js';
import { DeadLettersController } from './dead-letters/dead-letters.controller.js';
import { DeadLettersService } from './dead-letters/dead-letters.service.js';
import { GroupsController } from './groups/groups.controller.js';
import { AlertsController } from './http/alerts.controller.js';
import { HealthController } from './http/health.controller.js';
import { SqlController } from './http/sql.controller.js';
import { SessionController } from './http/session.controller.js';
import type { Sessions } from './http/sessions.js';
import type { LiveHub } from './live/live-hub.js';
import { LiveGateway } from './live/live.gateway.js';
import { LIVE_HUB, OPTIONS, SESSIONS, type DashboardOptions } from './options.js';
import { RunsController } from './runs/runs.controller.js';
import { RunsService } from './runs/runs.service.js';

@Module({})
export class DashboardModule {
  static create(options: DashboardOptions, hub: LiveHub, sessions: Sessions): DynamicModule {
    return {
      module: DashboardModule,
      controllers: [
        HealthController,
        RunsController,
        SqlController,
        AlertsController,
        DeadLettersController,
        BackupController,
        GroupsController,
        SessionController,
      ],
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: LIVE_HUB, useValue: hub },
        { provide: SESSIONS, useValue: sessions },
        RunsService,
        DeadLettersService,
        LiveGateway,
      ],
    };
  }
}
