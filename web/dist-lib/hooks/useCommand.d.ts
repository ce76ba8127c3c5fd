export interface Command<Arguments extends unknown[], Result> {
    /** Carries it out, unless it is being carried out already: then nothing happens, and the answer is undefined. */
    readonly run: (...given: Arguments) => Promise<Result | undefined>;
    readonly isRunning: boolean;
    readonly error: unknown;
    readonly clear: () => void;
}
/** Something that a click does once, however often it is clicked. */
export declare function useCommand<Arguments extends unknown[], Result>(perform: (...given: Arguments) => Promise<Result>): Command<Arguments, Result>;
