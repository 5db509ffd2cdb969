import { Module, type DynamicModule, type OnApplicationBootstrap, type OnApplicationShutdown, Inject } from '@nestjs/common';
import { createAnalyzer, type Analyzer, type AnalyzerOptions } from './analyzer.js';

export const ANALYZER = Symbol('analyzer');

/** The analyzer inside a Nest application, for those who run it alone: it starts and ends with it. */
@Module({})
export class AnalyzerModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(@Inject(ANALYZER) private readonly analyzer: Analyzer) {}

  static register(options: AnalyzerOptions): DynamicModule {
    return {
      module: AnalyzerModule,
      providers: [{ provide: ANALYZER, useFactory: () => createAnalyzer(options) }],
      exports: [ANALYZER],
    };
  }

  onApplicationBootstrap(): Promise<void> {
    return this.analyzer.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.analyzer.close();
  }
}
