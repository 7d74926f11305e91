import {say} from "./board.js";
export function offerFork(game, epoch) { say("not yet"); }
