//! MIDI file → score.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use midly::{MetaMessage, MidiMessage, Timing, TrackEventKind};

use super::DRUM_CHANNEL;
use crate::error::{ScoreError, limits};
use crate::score::{Instrument, Key, KeyChange, MeterChange, Mode, Note, Score, TICKS_PER_QUARTER, TempoChange};

const MICROSECONDS_PER_MINUTE: f64 = 60e6;
const SUSTAIN: u8 = 64;
const ALL_SOUND_OFF: u8 = 120;
const RESET_CONTROLLERS: u8 = 121;
const ALL_NOTES_OFF: u8 = 123;
/// Most notes, pedal and program messages of one file.
const MOST_EVENTS: usize = 4 * limits::NOTES;
const TITLE_CHARS: usize = 200;

/// Reads a standard MIDI file of format 0 or 1 (format 2 is read as if its tracks sounded together).
///
/// Ticks are rescaled to [`TICKS_PER_QUARTER`]; with SMPTE timing the tempo is 120 BPM throughout. The instrument
/// of a note is the program in force at its onset (of its own track, else of its channel); channel 10 is the
/// drum kit. The sustain pedal lengthens notes until it is lifted or the key is struck again. A key struck while it
/// sounds ends the sounding note. Meters are taken as written; a first meter that lasts exactly one bar, shorter
/// than the next meter's, is read as a pick-up.
///
/// # Errors
/// [`ScoreError::Malformed`] where the bytes are not a MIDI file, [`ScoreError::TooLarge`] above a million notes
/// or about 11 hours.
pub fn read(bytes: &[u8]) -> Result<Score, ScoreError> {
    limits::check("bytes of the file", bytes.len(), limits::BYTES)?;
    // midly 0.5 overflows on this frame rate, which no file has; a header may lie anywhere (inside RIFF, repeated).
    if bytes.windows(13).any(|w| w.starts_with(b"MThd") && w[12] == 0x80) {
        return Err(ScoreError::malformed("MIDI", "its header asks for 128 frames a second"));
    }
    let (header, tracks) = midly::parse(bytes).map_err(|e| ScoreError::malformed("MIDI", e))?;
    let clock = Clock::new(header.timing)?;
    let mut events = Vec::new();
    let mut maps = Maps::default();
    let mut title = None;
    let mut end = 0;
    for (track, track_events) in tracks.enumerate() {
        let track_events = track_events.map_err(|e| ScoreError::malformed("MIDI", format!("track {track}: {e}")))?;
        let mut raw = 0u64;
        for event in track_events {
            let event = event.map_err(|e| ScoreError::malformed("MIDI", format!("track {track}: {e}")))?;
            raw += u64::from(event.delta.as_int());
            let tick = clock.tick(raw)?;
            end = end.max(tick);
            match event.kind {
                TrackEventKind::Midi { channel, message } => {
                    if let Some(action) = Action::of(message) {
                        limits::check("channel messages", events.len() + 1, MOST_EVENTS)?;
                        events.push(Event { tick, track: track as u32, channel: channel.as_int(), action });
                    }
                }
                TrackEventKind::Meta(MetaMessage::TrackName(name)) if track == 0 && title.is_none() => {
                    title = text(name);
                }
                TrackEventKind::Meta(message) => maps.meta(tick, message, clock.fixed),
                _ => {}
            }
        }
    }
    // Program changes come first within a tick; otherwise tracks in order, each in its own order.
    events.sort_by_key(|e| (e.tick, !matches!(e.action, Action::Program(_)), e.track));
    let mut performance = Performance::default();
    for event in &events {
        performance.play(event)?;
    }
    performance.finish(end);
    limits::check("notes", performance.notes.len(), limits::NOTES)?;
    let mut score = Score { notes: performance.notes, title, ..maps.finish()? };
    score.sort();
    Ok(score)
}

/// File ticks → score ticks.
struct Clock {
    numerator: u64,
    denominator: u64,
    /// Whether ticks are a fixed part of a second (SMPTE), so that tempo events mean nothing.
    fixed: bool,
}

impl Clock {
    fn new(timing: Timing) -> Result<Clock, ScoreError> {
        let quarter = u64::from(TICKS_PER_QUARTER);
        // At 120 BPM a second has two quarters; 29.97 frames a second are 30000 frames in 1001 seconds.
        let (numerator, denominator, fixed) = match timing {
            Timing::Metrical(division) => (quarter, u64::from(division.as_int()), false),
            Timing::Timecode(midly::Fps::Fps29, sub) => (2 * quarter * 1001, 30_000 * u64::from(sub), true),
            Timing::Timecode(fps, sub) => (2 * quarter, u64::from(fps.as_int()) * u64::from(sub), true),
        };
        if denominator == 0 {
            return Err(ScoreError::malformed("MIDI", "the header's division is 0 ticks"));
        }
        Ok(Clock { numerator, denominator, fixed })
    }

    fn tick(&self, raw: u64) -> Result<u32, ScoreError> {
        let scaled = (u128::from(raw) * u128::from(self.numerator) + u128::from(self.denominator / 2))
            / u128::from(self.denominator);
        match u32::try_from(scaled) {
            Ok(tick) if tick <= limits::TICKS => Ok(tick),
            _ => Err(ScoreError::TooLarge { what: "length in ticks", limit: u64::from(limits::TICKS) }),
        }
    }
}

/// Tempo, meter and key events, by tick; of several on one tick the last counts.
#[derive(Default)]
struct Maps {
    tempos: BTreeMap<u32, f64>,
    meters: BTreeMap<u32, (u8, u8)>,
    keys: BTreeMap<u32, Key>,
}

impl Maps {
    fn meta(&mut self, tick: u32, message: MetaMessage<'_>, fixed_tempo: bool) {
        match message {
            MetaMessage::Tempo(micros) if !fixed_tempo && micros.as_int() > 0 => {
                self.tempos.insert(tick, bpm_of(micros.as_int()));
            }
            MetaMessage::TimeSignature(numerator, power, _, _) if numerator > 0 && power <= 6 => {
                self.meters.insert(tick, (numerator, 1 << power));
            }
            MetaMessage::KeySignature(fifths, minor) if (-7..=7).contains(&fifths) => {
                self.keys.insert(tick, key_of(fifths, minor));
            }
            _ => {}
        }
    }

    /// A score of these maps, without notes.
    fn finish(self) -> Result<Score, ScoreError> {
        for count in [self.tempos.len(), self.meters.len(), self.keys.len()] {
            limits::check("tempo, meter or key changes", count, limits::CHANGES)?;
        }
        let mut tempos: Vec<_> = self.tempos.into_iter().map(|(tick, bpm)| TempoChange { tick, bpm }).collect();
        if tempos.first().is_none_or(|t| t.tick > 0) {
            tempos.insert(0, TempoChange { tick: 0, bpm: 120.0 });
        }
        tempos.dedup_by_key(|t| t.bpm);
        let mut meters: Vec<_> = self
            .meters
            .into_iter()
            .map(|(tick, (numerator, denominator))| MeterChange { tick, numerator, denominator })
            .collect();
        if meters.first().is_none_or(|m| m.tick > 0) {
            meters.insert(0, MeterChange { tick: 0, numerator: 4, denominator: 4 });
        }
        meters.dedup_by_key(|m| (m.numerator, m.denominator));
        let mut pickup = 0;
        if let [first, second, ..] = meters[..]
            && second.tick == first.bar_ticks()
            && first.bar_ticks() < second.bar_ticks()
        {
            pickup = second.tick;
            meters.remove(0);
            meters[0].tick = 0;
        }
        let mut keys: Vec<_> = self.keys.into_iter().map(|(tick, key)| KeyChange { tick, key }).collect();
        keys.dedup_by_key(|k| k.key);
        Ok(Score { tempos, meters, keys, pickup, ..Score::default() })
    }
}

/// The roundest tempo that a MIDI file writes as `micros` microseconds a quarter.
fn bpm_of(micros: u32) -> f64 {
    let exact = MICROSECONDS_PER_MINUTE / f64::from(micros);
    [1.0, 10.0, 100.0, 1000.0]
        .iter()
        .map(|scale| (exact * scale).round() / scale)
        .find(|&bpm| bpm > 0.0 && (MICROSECONDS_PER_MINUTE / bpm).round() == f64::from(micros))
        .unwrap_or(exact)
}

fn key_of(fifths: i8, minor: bool) -> Key {
    let major = (i32::from(fifths) * 7).rem_euclid(12);
    match minor {
        false => Key { tonic: major as u8, mode: Mode::Major },
        true => Key { tonic: ((major + 9) % 12) as u8, mode: Mode::Minor },
    }
}

/// Text of a meta event: UTF-8, else Latin-1; `None` where nothing visible is left.
fn text(bytes: &[u8]) -> Option<String> {
    let all = match std::str::from_utf8(bytes) {
        Ok(utf8) => utf8.to_string(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect(),
    };
    let clean: String = all.chars().filter(|c| !c.is_control()).take(TITLE_CHARS).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_string())
}

/// A channel message that matters here.
#[derive(Clone, Copy)]
enum Action {
    On { key: u8, velocity: u8 },
    Off { key: u8 },
    Pedal(bool),
    Program(u8),
    Silence,
}

impl Action {
    fn of(message: MidiMessage) -> Option<Action> {
        Some(match message {
            MidiMessage::NoteOn { key, vel } if vel.as_int() > 0 => {
                Action::On { key: key.as_int(), velocity: vel.as_int() }
            }
            MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => Action::Off { key: key.as_int() },
            MidiMessage::ProgramChange { program } => Action::Program(program.as_int()),
            MidiMessage::Controller { controller, value } => match controller.as_int() {
                SUSTAIN => Action::Pedal(value.as_int() >= 64),
                RESET_CONTROLLERS => Action::Pedal(false),
                ALL_SOUND_OFF | ALL_NOTES_OFF => Action::Silence,
                _ => return None,
            },
            _ => return None,
        })
    }
}

struct Event {
    tick: u32,
    track: u32,
    channel: u8,
    action: Action,
}

/// A note that has not ended yet.
struct Sounding {
    note: Note,
    /// Releases still to come for notes of this key that a later stroke ended.
    stale_releases: u32,
    /// The last stale release, should the note's own never come.
    last_release: Option<u32>,
    /// The key is up and the pedal holds the note.
    held: bool,
}

/// Plays channel messages in order and collects notes.
#[derive(Default)]
struct Performance {
    /// By channel, track and key.
    sounding: BTreeMap<(u8, u32, u8), Sounding>,
    channel_programs: [u8; 16],
    track_programs: BTreeMap<(u32, u8), u8>,
    pedals: [bool; 16],
    /// By channel, track and key of the notes that the pedal took over, ended ones too. Each is looked at once when the
    /// pedal is lifted, however many other notes sound.
    held: [Vec<(u32, u8)>; 16],
    notes: Vec<Note>,
}

impl Performance {
    fn play(&mut self, event: &Event) -> Result<(), ScoreError> {
        let Event { tick, track, channel, action } = *event;
        let slot = usize::from(channel & 15);
        match action {
            Action::Program(program) => {
                self.channel_programs[slot] = program;
                self.track_programs.insert((track, channel), program);
            }
            Action::On { key, velocity } => {
                limits::check("notes", self.notes.len() + self.sounding.len(), limits::NOTES)?;
                let program = self.track_programs.get(&(track, channel)).copied();
                let instrument = match channel {
                    DRUM_CHANNEL => Instrument::DRUMS,
                    _ => Instrument(program.unwrap_or(self.channel_programs[slot])),
                };
                let mut next = Sounding {
                    note: Note { onset: tick, duration: 0, pitch: key, velocity, instrument },
                    stale_releases: 0,
                    last_release: None,
                    held: false,
                };
                if let Some(before) = self.sounding.remove(&(channel, track, key)) {
                    if !before.held {
                        next.stale_releases = before.stale_releases + 1;
                    }
                    if before.note.onset == tick && !before.held {
                        next.note.velocity = velocity.max(before.note.velocity);
                    } else {
                        self.close(before.note, tick);
                    }
                }
                self.sounding.insert((channel, track, key), next);
            }
            Action::Off { key } => {
                let pedal = self.pedals[slot];
                let Some(sounding) = self.sounding.get_mut(&(channel, track, key)) else { return Ok(()) };
                if sounding.held {
                    return Ok(());
                }
                if sounding.stale_releases > 0 {
                    sounding.stale_releases -= 1;
                    sounding.last_release = Some(tick);
                } else if pedal {
                    sounding.held = true;
                    self.held[slot].push((track, key));
                } else {
                    let note = sounding.note;
                    self.sounding.remove(&(channel, track, key));
                    self.close(note, tick);
                }
            }
            Action::Pedal(down) => {
                if self.pedals[slot] && !down {
                    self.lift(channel, tick);
                }
                self.pedals[slot] = down;
            }
            Action::Silence => self.silence(channel, tick),
        }
        Ok(())
    }

    /// Ends the notes that the pedal holds.
    fn lift(&mut self, channel: u8, tick: u32) {
        for (track, key) in std::mem::take(&mut self.held[usize::from(channel & 15)]) {
            if let Entry::Occupied(entry) = self.sounding.entry((channel, track, key))
                && entry.get().held
            {
                let note = entry.remove().note;
                self.close(note, tick);
            }
        }
    }

    /// Ends all notes of a channel.
    fn silence(&mut self, channel: u8, tick: u32) {
        let all = (channel, 0, 0)..=(channel, u32::MAX, u8::MAX);
        for (_, sounding) in self.sounding.extract_if(all, |_, _| true).collect::<Vec<_>>() {
            self.close(sounding.note, tick);
        }
    }

    fn close(&mut self, note: Note, tick: u32) {
        self.notes.push(Note { duration: tick.saturating_sub(note.onset).max(1), ..note });
    }

    fn finish(&mut self, end: u32) {
        for sounding in std::mem::take(&mut self.sounding).into_values() {
            self.close(sounding.note, sounding.last_release.unwrap_or(end));
        }
    }
}
