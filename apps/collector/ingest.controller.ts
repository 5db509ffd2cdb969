import type { Metadata, ServerUnaryCall } from '@grpc/grpc-js';
import { Catch, Controller, Inject, UseFilters, type ExceptionFilter } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { throwError, type Observable } from 'rxjs';
import type { Input } from '#wire/codec.js';
import type {
  AttachRunRequest,
  AttachRunResponse,
  DescribeModelRequest,
  DescribeModelResponse,
} from '#wire/generated/messages.js';
import { toStatus } from './grpc-errors.js';
import { IngestService } from './ingest.service.js';
import type { RecordsCall } from './record-session.js';
import type { UploadCall } from './upload-session.js';

/** Refusals of unary calls as gRPC statuses. */
@Catch()
class StatusFilter implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => toStatus(error));
  }
}

/** The gRPC door: takes calls as they come and hands them over. */
@Controller()
@UseFilters(new StatusFilter())
export class IngestController {
  constructor(@Inject(IngestService) private readonly service: IngestService) {}

  @GrpcMethod('IngestService', 'AttachRun')
  attachRun(
    request: AttachRunRequest,
    _: Metadata,
    call: Pick<ServerUnaryCall<unknown, unknown>, 'getHost'>,
  ): Promise<Input<AttachRunResponse>> {
    return this.service.attach(request, call.getHost());
  }

  @GrpcMethod('IngestService', 'DescribeModel')
  describeModel(request: DescribeModelRequest): Promise<Input<DescribeModelResponse>> {
    return this.service.describe(request);
  }

  @GrpcStreamCall('IngestService', 'UploadBlob')
  uploadBlob(call: UploadCall): Promise<void> {
    return this.service.upload(call);
  }

  @GrpcStreamCall('IngestService', 'StreamRecords')
  streamRecords(call: RecordsCall): Promise<void> {
    return this.service.records(call);
  }
}
