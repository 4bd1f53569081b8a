//! Score → MIDI file.

use midly::num::{u4, u7, u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track, TrackEvent, TrackEventKind};

use super::DRUM_CHANNEL;
use crate::score::{Instrument, Key, Mode, Note, Score, TICKS_PER_QUARTER};

/// Channels for pitched instruments: all but the percussion channel.
const PITCHED_CHANNELS: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15];
/// Pick-ups that are a multiple of this (1/64 note) can be written as a meter.
const SHORTEST_BEAT: u32 = TICKS_PER_QUARTER / 16;

/// Most tracks of one instrument; further overlaps share the last.
const MOST_LAYERS: usize = 16;

/// Writes a standard MIDI file of format 1, 480 ticks a quarter: a track of tempos, meters and keys, then one
/// track an instrument (where notes of one key overlap, further tracks of it). Ticks are exact; tempos are exact
/// to a microsecond a quarter. More than 15 pitched instruments share channels, by program changes.
pub fn write(score: &Score) -> Vec<u8> {
    let mut tracks = vec![conductor(score)];
    let instruments = score.instruments();
    let pitched = instruments.iter().filter(|i| !i.is_drums()).count();
    let mut next_channel = 0;
    for &instrument in &instruments {
        let channel = if instrument.is_drums() {
            DRUM_CHANNEL
        } else {
            next_channel += 1;
            PITCHED_CHANNELS[(next_channel - 1) % PITCHED_CHANNELS.len()]
        };
        let shared = !instrument.is_drums() && pitched > PITCHED_CHANNELS.len();
        for layer in layers(score, instrument) {
            tracks.push(part(&layer, instrument, channel, shared));
        }
    }
    let header = Header::new(Format::Parallel, Timing::Metrical(u15::from(TICKS_PER_QUARTER as u16)));
    let mut bytes = Vec::new();
    // Writing to a Vec fails only where a track is longer than a 32-bit count; a score cannot reach that.
    let _ = Smf { header, tracks }.write_std(&mut bytes);
    bytes
}

/// Absolute-time events of one track.
#[derive(Default)]
struct Events<'a>(Vec<(u32, u8, TrackEventKind<'a>)>);

impl<'a> Events<'a> {
    /// `rank` orders events on one tick.
    fn push(&mut self, tick: u32, rank: u8, kind: TrackEventKind<'a>) {
        self.0.push((tick, rank, kind));
    }

    fn track(mut self) -> Track<'a> {
        self.0.sort_by_key(|&(tick, rank, _)| (tick, rank));
        let mut track = Track::with_capacity(self.0.len() + 1);
        let mut at = 0;
        for (tick, _, kind) in self.0 {
            let delta = (tick - at).min(u28::max_value().as_int());
            track.push(TrackEvent { delta: u28::from(delta), kind });
            at = tick;
        }
        track.push(TrackEvent { delta: u28::from(0), kind: TrackEventKind::Meta(MetaMessage::EndOfTrack) });
        track
    }
}

fn conductor(score: &Score) -> Track<'_> {
    let mut events = Events::default();
    if let Some(title) = &score.title {
        events.push(0, 0, TrackEventKind::Meta(MetaMessage::TrackName(title.as_bytes())));
    }
    for (i, meter) in score.meters.iter().enumerate() {
        let mut tick = meter.tick;
        if i == 0 && score.pickup > 0 && score.pickup < meter.bar_ticks() && score.pickup.is_multiple_of(SHORTEST_BEAT)
        {
            let (numerator, denominator) = pickup_meter(score.pickup);
            events.push(0, 1, time_signature(numerator, denominator));
            tick = score.pickup;
        }
        events.push(tick, 1, time_signature(meter.numerator, meter.denominator));
    }
    for change in &score.keys {
        let (fifths, minor) = fifths_of(change.key);
        events.push(change.tick, 2, TrackEventKind::Meta(MetaMessage::KeySignature(fifths, minor)));
    }
    for change in &score.tempos {
        let micros = (60e6 / change.bpm).round().clamp(1.0, f64::from(u24::max_value().as_int())) as u32;
        events.push(change.tick, 3, TrackEventKind::Meta(MetaMessage::Tempo(u24::from(micros))));
    }
    events.track()
}

/// A meter whose single bar is `pickup` ticks long, in the largest beat that fits.
fn pickup_meter(pickup: u32) -> (u8, u8) {
    let mut denominator = 64;
    let mut numerator = pickup / SHORTEST_BEAT;
    while denominator > 4 && numerator.is_multiple_of(2) {
        numerator /= 2;
        denominator /= 2;
    }
    (numerator.clamp(1, 255) as u8, denominator)
}

fn time_signature<'a>(numerator: u8, denominator: u8) -> TrackEventKind<'a> {
    let power = denominator.max(1).ilog2() as u8;
    TrackEventKind::Meta(MetaMessage::TimeSignature(numerator, power, 24, 8))
}

/// Sharps (positive) or flats (negative) of a key, -6 to 6 for major, and whether it is minor.
fn fifths_of(key: Key) -> (i8, bool) {
    let minor = key.mode == Mode::Minor;
    let major = i32::from(key.tonic) + if minor { 3 } else { 0 };
    let fifths = (major * 7).rem_euclid(12);
    // Beyond F sharp major and D sharp minor flats are shorter.
    ((if fifths > 6 { fifths - 12 } else { fifths }) as i8, minor)
}

/// The instrument's notes, dealt to as few layers as keep notes of one key apart.
fn layers(score: &Score, instrument: Instrument) -> Vec<Vec<Note>> {
    let mut layers: Vec<(Vec<Note>, [u32; 128])> = Vec::new();
    for note in score.notes.iter().filter(|n| n.instrument == instrument) {
        let pitch = usize::from(note.pitch.min(127));
        let end = note.onset.saturating_add(note.duration.max(1));
        let full = layers.len() == MOST_LAYERS;
        let free = layers.iter().position(|(_, ends)| ends[pitch] <= note.onset).or(full.then_some(MOST_LAYERS - 1));
        match free.and_then(|at| layers.get_mut(at)) {
            Some((notes, ends)) => {
                notes.push(*note);
                ends[pitch] = end;
            }
            None => {
                let mut ends = [0; 128];
                ends[pitch] = end;
                layers.push((vec![*note], ends));
            }
        }
    }
    layers.into_iter().map(|(notes, _)| notes).collect()
}

fn part<'a>(notes: &[Note], instrument: Instrument, channel: u8, shared: bool) -> Track<'a> {
    let channel = u4::from(channel);
    let midi = |message| TrackEventKind::Midi { channel, message };
    let program = midi(MidiMessage::ProgramChange { program: u7::from(instrument.0.min(127)) });
    let mut events = Events::default();
    if !instrument.is_drums() {
        events.push(0, 0, program);
    }
    for note in notes {
        let key = u7::from(note.pitch.min(127));
        let end = note.onset.saturating_add(note.duration.max(1));
        if shared {
            events.push(note.onset, 2, program);
        }
        events.push(note.onset, 2, midi(MidiMessage::NoteOn { key, vel: u7::from(note.velocity.clamp(1, 127)) }));
        events.push(end, 1, midi(MidiMessage::NoteOff { key, vel: u7::from(64) }));
    }
    events.track()
}
